"""The events of an owner: sessions, tasks, approvals and live records that changed since a horizon.

Transactions end in another order than they begin. Each read therefore returns every change at or above the horizon,
and a position remembers which of them were delivered, until a later horizon has passed them.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from app.db import approval, record, task, viewer_changes
from app.db.access.database import Database
from app.db.access.statement import Statement
from app.db.access.transaction import Viewer
from app.db.viewer_changes import ViewerChangeRow
from app.live.cursors import ViewerCursor
from app.live.events import Event, Kind, ResetReason
from app.live.reader import Batch, Start

ChangeKey = tuple[int, str, str]
"""The order in which changes are read: transaction, kind, id."""
NO_ID = str(UUID(int=0))
FIRST: tuple[str, str] = ("", NO_ID)
"""The kind and id before all others of a transaction."""
KINDS: dict[str, tuple[Kind, Statement[Any], str]] = {
    "session": (Kind.SESSION_CHANGED, viewer_changes.SESSIONS, "ids"),
    "task": (Kind.TASK_CHANGED, task.BY_IDS, "ids"),
    "approval": (Kind.APPROVAL_CHANGED, approval.BY_IDS, "ids"),
    "record": (Kind.RECORD_CHANGED, record.CHANGED, "paths"),
}
"""The event of each kind, the statement that reads its rows, and the parameter for their ids."""


@dataclass(frozen=True, slots=True)
class ViewerPosition:
    """After a horizon, and after the delivered changes at or above it.

    A pass reads everything above a horizon, in one batch or several. Inside a pass, `last` is the last change read and
    `next_cursor` the one after the pass. `pass_started` and `pass_ended` are when the newest pass began its first batch
    and ended its last one, in monotonic seconds.
    """

    after: ViewerCursor
    timeline: int
    """Of PostgreSQL, in which `after` counts."""
    delivered: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By kind and id: the transaction of the newest delivered change."""
    last: ChangeKey | None = None
    next_cursor: ViewerCursor | None = None
    pass_started: float = 0.0
    pass_ended: float = 0.0

    @property
    def cursor(self) -> str:
        return str(self.after)

    def can_join(self, other: "ViewerPosition") -> bool:
        # A pass that began after the other one ended has read everything that the other one delivered.
        return self.timeline == other.timeline and self.pass_started >= other.pass_ended


class ViewerReader:
    """Reads the viewer's events.

    `tombstone_seconds` is how long tombstones are kept; None is forever. `batch_size` is the most changes that one
    read returns.
    """

    min_interval = 0.05

    def __init__(self, db: Database, viewer: Viewer, tombstone_seconds: float | None, batch_size: int) -> None:
        self._db, self._viewer = db, viewer
        self._tombstone_seconds, self._batch_size = tombstone_seconds, batch_size

    async def start(self, after: str | None) -> Start[ViewerPosition]:
        now, timeline = await _now(self._db, self._viewer)
        newest = ViewerPosition(now, timeline)
        if after is None:
            return Start(newest)
        requested = ViewerCursor.parse(after)
        if requested is None or requested.epoch != now.epoch or self._may_miss_tombstones(requested, now):
            return Start(newest, ResetReason.CURSOR_UNKNOWN)
        if requested.xid > now.xid:
            return Start(newest, ResetReason.CURSOR_FROM_THE_FUTURE)
        return Start(replace(newest, after=requested))

    async def read(self, position: ViewerPosition) -> Batch[ViewerPosition]:
        started = time.monotonic() if position.last is None else position.pass_started
        touched = await self._touched(position)
        if touched[0].timeline != position.timeline:
            return await self._reset(started)
        next_cursor = position.next_cursor or replace(position.after, xid=touched[0].low_xid, at=int(time.time()))
        found = [row for row in touched if row.kind is not None]
        new = [row for row in found if position.delivered.get((row.kind or "", row.id)) != row.xid]
        delivered = {**position.delivered, **{(row.kind or "", row.id): row.xid for row in new}}
        more = len(found) == self._batch_size
        if more:
            end = found[-1]
            last = end.xid, end.kind or "", end.id
            reached = replace(position, delivered=delivered, last=last, next_cursor=next_cursor, pass_started=started)
        else:
            above = {key: xid for key, xid in delivered.items() if xid >= next_cursor.xid}
            reached = ViewerPosition(next_cursor, position.timeline, above, pass_started=started)
        events = await self._events(new, position.cursor, reached.cursor)
        return Batch(events, replace(reached, pass_ended=time.monotonic()), more)

    async def finish_replay(self, position: ViewerPosition) -> Batch[ViewerPosition]:
        return Batch([], position)

    def has_delivered(self, _position: ViewerPosition, _revision: int) -> bool:
        return False

    async def _reset(self, started: float) -> Batch[ViewerPosition]:
        """StreamReset, because another timeline counts other transactions."""
        newest = (await self.start(None)).position
        event = Event(Kind.STREAM_RESET, newest.cursor, ResetReason.CURSOR_UNKNOWN)
        return Batch([event], replace(newest, pass_started=started, pass_ended=time.monotonic()))

    def _may_miss_tombstones(self, cursor: ViewerCursor, now: ViewerCursor) -> bool:
        return self._tombstone_seconds is not None and cursor.at < now.at - self._tombstone_seconds

    async def _touched(self, position: ViewerPosition) -> list[ViewerChangeRow]:
        xid, kind, key = position.last or (position.after.xid, *FIRST)
        return await self._db.fetch(
            self._viewer,
            viewer_changes.CHANGES,
            limit=self._batch_size,
            after_xid=str(xid),
            after_kind=kind,
            after_id=NO_ID if kind == "record" else key,
            after_path=key,
        )

    async def _events(self, touched: list[ViewerChangeRow], before: str, after: str) -> list[Event]:
        """An event for each changed row that still exists; only the last one has the cursor after the whole batch."""
        rows: dict[tuple[str, str], Any] = {}
        for kind, (_, by_ids, parameter) in KINDS.items():
            if ids := [row.id for row in touched if row.kind == kind]:
                rows |= {(kind, row.id): row for row in await self._db.fetch(self._viewer, by_ids, **{parameter: ids})}
        existing = [
            (change, row) for change in touched if (row := rows.get((change.kind or "", change.id))) is not None
        ]
        return [
            Event(_kind(change, row), after if change is existing[-1][0] else before, row) for change, row in existing
        ]


async def current_cursor(db: Database, viewer: Viewer) -> ViewerCursor:
    """The cursor after all of the viewer's changes up to now."""
    return (await _now(db, viewer))[0]


async def _now(db: Database, viewer: Viewer) -> tuple[ViewerCursor, int]:
    """The current cursor, and the timeline in which it counts."""
    [row] = await db.fetch(viewer, viewer_changes.HORIZON)
    return ViewerCursor(row.epoch, row.low_xid, int(row.at.timestamp())), row.timeline


def _kind(change: ViewerChangeRow, row: Any) -> Kind:
    if change.kind == "session" and row.erased_at is not None:
        return Kind.SESSION_REMOVED
    return KINDS[change.kind or ""][0]
