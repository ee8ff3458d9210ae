"""Positions of the primary in its write-ahead log, and whether a standby has shown nothing that the primary hides.

Two questions to the primary make a read on a standby equal to a read on the primary (ReadIndex: D. Ongaro, Consensus,
6.4). Before the read: how far is the log? The standby must have replayed it up to there, so the read misses no write
that was acknowledged to anybody, by any process. After the read: which transactions have ended? A standby shows a
transaction as soon as it has replayed the commit; the primary shows it once its commit is complete, with synchronous
replication after a round trip to the other standbys. Until then another read may not find what this one has shown.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from app.db.access.database import Database
from app.db.access.statement import Query, Row

ANSWER_SECONDS = 1.0
CONFIRM_SECONDS = 0.05
GATHER_SECONDS = 0.002
"""From the beginning of a question to that of the next one, at least: many requests a second ask few questions."""
# A commit is in the log up to the flushed position before anybody sees it, unless synchronous_commit is off.
_PRIMARY = """
('x' || left(pg_walfile_name(position), 8))::bit(32)::integer AS timeline,
(position - '0/0')::bigint AS written, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS ended
FROM (SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn()
ELSE pg_current_wal_flush_lsn() END AS position) AS log"""


class Question(Query[Any]):
    """A query without tables and parameters."""

    def __init__(self, name: str, sentence: str, columns: str, row: type[Row]) -> None:
        super().__init__(name, sentence, None, row)
        vars(self).update(sql=f"SELECT /* {name} */ {columns}", reads=True)  # in place of what an element has


class Needed(NamedTuple):
    """What a read must contain: the log up to a position, in a timeline."""

    timeline: int
    written: int


class Position(Row):
    """Of the primary: its timeline, the bytes of its log, and the transaction below which all have ended."""

    timeline: int
    written: int
    ended: int


POSITION = Question("primary.position", "The position of the primary.", _PRIMARY, Position)


class PrimaryPositions:
    """Asks the primary for its position; all requests that wait share the next answer.

    A question that is under way is of no use to a request that comes meanwhile: the primary may have answered it before
    a write that this request must find. So the request waits for the next question. On an idle server that is asked at
    once, on a busy one `gather` seconds after the one before.
    `on_timeline` is called when the timeline is another one: a standby was promoted, and may lack what others had.
    """

    def __init__(self, db: Database, on_timeline: Callable[[], None], gather: float = GATHER_SECONDS) -> None:
        self.newest: Position | None = None
        self._db, self._on_timeline, self._gather = db, on_timeline, gather
        self._next: asyncio.Future[Position | None] | None = None
        self._began = -gather
        self._asking: asyncio.Task[None] | None = None

    async def needed(self) -> Needed | None:
        """All that was written before this call; None if the primary does not answer."""
        position = await self._after_now()
        return None if position is None else Needed(position.timeline, position.written)

    async def confirm(self, shown: int, timeline: int) -> bool:
        """True once every transaction below `shown` has ended on the primary, in this timeline.

        False after CONFIRM_SECONDS, as while a transaction is long, and if the primary does not answer.
        """
        deadline = monotonic() + CONFIRM_SECONDS
        position = self.newest
        while position is not None and position.timeline == timeline:
            if position.ended >= shown:
                return True
            if monotonic() > deadline:
                return False
            position = await self._after_now()
        return False

    async def close(self) -> None:
        """Ends the question that is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _after_now(self) -> Position | None:
        """A position that was asked for after this call began."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._next)

    async def _ask(self) -> None:
        try:
            while (waiting := self._next) is not None:
                try:
                    if (gathering := self._began + self._gather - monotonic()) > 0:
                        await asyncio.sleep(gathering)
                    self._next, self._began = None, monotonic()
                    waiting.set_result(await self._position())
                finally:
                    if not waiting.done():
                        waiting.set_result(None)
        finally:
            self._asking = None

    async def _position(self) -> Position | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):  # a host that is lost ends no connection, and all reads wait
                rows: list[Position] = await self._db.look(POSITION)
        except Exception:  # the read itself goes to the primary then, and has the reason
            return None
        [position] = rows
        if self.newest is not None and self.newest.timeline != position.timeline:
            self._on_timeline()
        self.newest = position
        return position
