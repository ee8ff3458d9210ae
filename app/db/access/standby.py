"""One standby of the primary: reads on it, each between two looks at how far it has replayed.

The looks and the read are on one connection, since a name may lead to several standbys. Behind a transaction pooler
they are in one transaction.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from app.db.access import row_security
from app.db.access.database import Database
from app.db.access.positions import Needed, Question
from app.db.access.statement import R, Row, Statement
from app.db.access.transaction import Viewer

REPLAY_SECONDS = 0.05
STEP_SECONDS = 0.001

_REPLAYED = """
pg_is_in_recovery() AS standby, coalesce((pg_last_wal_replay_lsn() - '0/0')::bigint, 0) AS replayed,
pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS shown"""
# The receiver's timeline, which needs a right (pg_monitor), or that of the newest restartpoint, which comes later.
_TIMELINE = """
greatest((SELECT timeline_id FROM pg_control_checkpoint()), (SELECT received_tli FROM pg_stat_wal_receiver))
AS timeline"""
_IDENTITY = """
(SELECT system_identifier FROM pg_control_system()) AS cluster,
(SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database"""


class NotCurrent(Exception):
    """The standby may not answer this read. `reason` is a key of `standbys.REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Replayed(Row):
    """How much of the log the standby has replayed; no transaction from `shown` on was visible. Both only grow."""

    standby: bool
    replayed: int
    shown: int


class Timeline(Row):
    """The timeline that the standby follows, or an earlier one."""

    timeline: int


class Identity(Row):
    """Of a cluster, and of a database in it: those of a standby are the primary's."""

    cluster: int
    database: int


REPLAYED = Question("standby.replayed", "How much of the log the standby has replayed.", _REPLAYED, Replayed)
TIMELINE = Question("standby.timeline", "The timeline that the standby follows.", _TIMELINE, Timeline)
IDENTITY = Question("server.identity", "The cluster and the database.", _IDENTITY, Identity)


class Standby(Database):
    """The pool of a standby. `reason` is why it is not used, a key of `standbys.REASONS`; empty if it is."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.reason = "untried"
        self._known: WeakKeyDictionary[Any, tuple[Replayed, int]] = WeakKeyDictionary()
        """By connection: the newest look, and the timeline."""

    async def read(
        self, viewer: Viewer, statement: Statement[R], values: dict[str, Any], needed: Needed
    ) -> tuple[list[R], Replayed]:
        """The rows with all that is needed in them, and what was replayed at most when they were read.

        Raises NotCurrent, and what the driver raises.
        """
        if self.role:
            statement = row_security.self_contained(statement)
        arguments = statement.bind(viewer.subject, **values)
        begin = self._begin_custom_plan if statement.custom_plan or self._always_begin else None
        async with self._transaction(begin) if begin else self._connection() as driver:
            _, timeline = await self._reach(driver, needed)
            rows = await self.slow.fetch(driver, statement, arguments)
            return rows, await self._look(driver, timeline)

    async def reach(self, needed: Needed) -> Replayed:
        """Returns once the standby has replayed what is needed. Raises NotCurrent."""
        async with self._transaction(self._begin) if self._always_begin else self._connection() as driver:
            return (await self._reach(driver, needed))[0]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        connection = await self.pool.acquire()
        try:
            yield connection.driver
        except BaseException as error:
            self.pool.on_failure(connection, error)
            raise
        finally:
            self.pool.release(connection)

    async def _reach(self, driver: Any, needed: Needed) -> tuple[Replayed, int]:
        known = None if self._always_begin else self._known.get(driver)
        found, timeline = known or (None, 0)
        if timeline != needed.timeline:
            [row] = await self.slow.fetch(driver, TIMELINE, ())
            if (timeline := row.timeline) != needed.timeline:
                raise NotCurrent("other_history")
        deadline = monotonic() + REPLAY_SECONDS
        if found is None:
            found = await self._look(driver, timeline)
        while found.replayed < needed.written:
            if monotonic() > deadline:
                raise NotCurrent("lagging")
            await asyncio.sleep(STEP_SECONDS)
            found = await self._look(driver, timeline)
        return found, timeline

    async def _look(self, driver: Any, timeline: int) -> Replayed:
        [row] = await self.slow.fetch(driver, REPLAYED, ())
        if not row.standby:
            raise NotCurrent("promoted")
        self._known[driver] = row, timeline
        found: Replayed = row
        return found
