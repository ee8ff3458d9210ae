"""Reads on standbys: which read may run there, and what is done when none may.

A read on a standby returns what a read on the primary may return (`positions` has the reasoning). Whatever prevents
that sends the read to the primary: nothing waits for a standby longer than a moment.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import cache
from typing import Any, TypeVar

from app.db.access.database import Database
from app.db.access.engine import DatabaseEngine
from app.db.access.positions import Needed, PrimaryPositions
from app.db.access.standby import IDENTITY, NotCurrent, Standby
from app.db.access.statement import R, Statement
from app.db.access.transaction import Viewer
from app.errors import Unavailable
from app.structured_log import get_logger

log = get_logger("colloquy.db")
T = TypeVar("T")
PROBE_SECONDS = 1.0
PROBE_TIMEOUT_SECONDS = 2.0
REASONS = {
    "untried": "it was not tried yet",
    "lagging": "it lags behind the primary",
    "in_doubt": "it shows a transaction that has not ended on the primary",
    "other_history": "it does not follow the newest promotion yet; GRANT pg_monitor lets it be seen sooner",
    "promoted": "it is not a standby any more",
    "foreign": "it is not a standby of the database in DATABASE_URL",
    "unreachable": "it cannot be reached, or does not answer in time",
    "no_position": "the primary returns no position of its log",
}
OUTCOMES = ("standby", "unused", "primary_only", "failed", "lagging", "in_doubt", "other_history", "promoted")
ON_CITUS = "Citus: a standby of the coordinator has no standbys of the nodes; unset DATABASE_REPLICA_URLS"
# What these return is that of the server, and not of the rows; or they lock.
_OF_THE_PRIMARY = re.compile(r"pg_current_|pg_control_|colloquy_timeline|pg_advisory|FOR (NO KEY )?UPDATE|FOR SHARE")


class Standbys:
    """The standbys of `db`, and where reads went, by outcome: `standby`, or why to the primary.

    `timeout` is the longest time that a read on a standby may take, in seconds. `options` are those of `Database`.
    """

    def __init__(
        self,
        db: Database,
        urls: Sequence[str],
        *,
        timeout: float,
        on_timeline: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        self.db, self.timeout = db, timeout
        self.positions = PrimaryPositions(db, on_timeline)
        self.outcomes: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self._all = [Standby(url, **options | {"statements": lambda _: db.slow}) for url in urls]
        self._used: list[Standby] = []

    def reads(self) -> "OperationReads":
        """What one operation reads with."""
        return OperationReads(self)

    def of(self, owner: str) -> Standby | None:
        """The standby for an owner: the same one, as long as the same ones are in use."""
        return self._used[hash(owner) % len(self._used)] if self._used else None

    def leave(self, standby: Standby, reason: str) -> None:
        """Uses a standby no more, until it answers a probe."""
        standby.reason = reason
        self._used = [other for other in self._all if not other.reason]

    async def run(self, standby: Standby, read: Coroutine[Any, Any, T]) -> T:
        """The result of a read on a standby, which is left if it fails. Raises NotCurrent."""
        try:
            async with asyncio.timeout(self.timeout):
                return await read
        except NotCurrent as error:
            self.leave(standby, error.reason)
            raise
        except (Unavailable, TimeoutError):
            self.leave(standby, "unreachable")
        except Exception:  # noqa: S110  # of the statement itself: on the primary it fails again, or succeeds
            pass
        raise NotCurrent("failed")

    @property
    def unusable(self) -> str | None:
        """Why this configuration cannot serve; None if it can."""
        engine: DatabaseEngine | None = self.db.engine
        return ON_CITUS if engine is not None and engine.distributed else None

    @property
    def degraded(self) -> list[str]:
        """The standbys that are not used, in words for `/readyz`."""
        left = [(number, standby.reason) for number, standby in enumerate(self._all, 1) if standby.reason]
        return [f"standby {number}: {REASONS[reason]}; reads go to the primary" for number, reason in left]

    async def watch(self) -> None:
        """Tries every standby, again and again, until it is cancelled; closes the connections then."""
        reported: dict[int, str] = {}
        try:
            while True:
                await asyncio.gather(*map(self._probe, self._all))
                for number, standby in enumerate(self._all, 1):
                    if standby.reason != reported.get(number):
                        reported[number] = standby.reason
                        _report(number, standby.reason)
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            await self.positions.close()
            await asyncio.gather(*(standby.close() for standby in self._all))

    async def _probe(self, standby: Standby) -> None:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                await self._try(standby)
        except NotCurrent as error:
            self.leave(standby, error.reason)
        except Exception:
            self.leave(standby, "unreachable")
        else:
            self.leave(standby, "")

    async def _try(self, standby: Standby) -> None:
        """A read on the standby without a statement. Raises NotCurrent, and what the driver raises."""
        needed = await self.positions.needed()
        if needed is None or self.unusable:
            raise NotCurrent("no_position")
        if await standby.look(IDENTITY) != await self.db.look(IDENTITY):
            raise NotCurrent("foreign")
        found = await standby.reach(needed)
        if not await self.positions.confirm(found.shown, needed.timeline):
            raise NotCurrent("in_doubt")


class OperationReads:
    """The reads of one operation: each is equal to a read on the primary that begins after the operation began.

    A later read misses nothing that an earlier one returned, wherever both ran.
    """

    def __init__(self, standbys: Standbys) -> None:
        self._standbys = standbys
        self._needed: Needed | None = None
        """What the next read must contain; None: all that was written before it begins."""
        self._primary_reads = 0

    @property
    def primary(self) -> Database:
        """The database that accepts writes."""
        return self._standbys.db

    async def fetch(self, viewer: Viewer, statement: Statement[R], /, **values: Any) -> list[R]:
        """All rows, from a standby if one has what is expected."""
        outcomes = self._standbys.outcomes
        try:
            rows = await self._from_standby(viewer, statement, values)
        except NotCurrent as error:
            outcomes[error.reason] += 1
        else:
            outcomes["standby"] += 1
            return rows
        try:
            return await self.primary.fetch(viewer, statement, **values)
        finally:
            self._needed = None  # the primary may have returned what was written since
            self._primary_reads += 1

    async def one(self, viewer: Viewer, statement: Statement[R], /, **values: Any) -> R | None:
        """The first row, or None; otherwise as `fetch`."""
        rows = await self.fetch(viewer, statement, **values)
        return rows[0] if rows else None

    async def _from_standby(self, viewer: Viewer, statement: Statement[R], values: dict[str, Any]) -> list[R]:
        standbys = self._standbys
        if (standby := standbys.of(viewer.subject)) is None:
            raise NotCurrent("unused")
        if not runs_on_standbys(statement):
            raise NotCurrent("primary_only")
        primary_reads = self._primary_reads
        if (needed := self._needed or await standbys.positions.needed()) is None:
            raise NotCurrent("failed")
        if primary_reads == self._primary_reads:
            self._needed = needed
        rows, found = await standbys.run(standby, standby.read(viewer, statement, values, needed))
        if not await standbys.positions.confirm(found.shown, needed.timeline):
            standbys.leave(standby, "in_doubt")
            raise NotCurrent("in_doubt")
        # Another read of this operation may have gone to the primary meanwhile, so that the next one has to ask.
        if self._needed is not None and self._needed.timeline == needed.timeline:
            self._needed = Needed(needed.timeline, max(self._needed.written, found.replayed))
        return rows


@cache
def runs_on_standbys(statement: Statement[Any]) -> bool:
    """True if a standby can run the statement, and returns what the primary returns."""
    return statement.reads and not _OF_THE_PRIMARY.search(statement.sql)


def _report(number: int, reason: str) -> None:
    if reason:
        log.warning("standby.left", standby=number, reason=REASONS[reason])
    else:
        log.info("standby.used", standby=number)
