"""The events of all that is an owner's: sessions, tasks and approvals that changed since a horizon.

What lies at or above the horizon is read again by the next look; what was told of it is remembered until then.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from app.db import approval, task, viewer_changes
from app.db.access.database import Database
from app.db.access.statement import Statement
from app.db.access.transaction import Viewer
from app.db.viewer_changes import HorizonRow, ViewerChangeRow
from app.live.cursors import Horizon
from app.live.events import Event, Kind, Reset
from app.live.reader import BATCH, Batch

Key = tuple[int, str, str]
START: Key = (0, "", str(UUID(int=0)))
KINDS: dict[str, tuple[Kind, Statement[Any]]] = {
    "session": (Kind.SESSION_CHANGED, viewer_changes.SESSIONS),
    "task": (Kind.TASK_CHANGED, task.BY_IDS),
    "approval": (Kind.APPROVAL_CHANGED, approval.BY_IDS),
}


@dataclass(frozen=True, slots=True)
class Outlook:
    """Behind a horizon; inside a look that takes several batches, after the `last` one's end.

    `told`: which transaction's change of what was told already although it lies at or above the horizon.
    `began` is when the newest look did, with its first batch, and `ended` when its last one so far did, in monotonic
    seconds.
    """

    horizon: Horizon
    told: Mapping[tuple[str, str], int] = field(default_factory=dict)
    last: Key | None = None
    next: Horizon | None = None
    began: float = 0.0
    ended: float = 0.0

    @property
    def cursor(self) -> str:
        return str(self.horizon)

    def meets(self, other: "Outlook") -> bool:
        """What the other was told before I began to look, I have seen; what it will be told, I have not all."""
        return self.began >= other.ended


class ViewerReader:
    """Reads what changes of the viewer's. `kept` is how long tombstones stay, in seconds; None is for ever."""

    pause = 0.05

    def __init__(self, db: Database, viewer: Viewer, kept: float | None) -> None:
        self._db, self._viewer, self._kept = db, viewer, kept

    async def begin(self, after: str | None) -> tuple[Outlook, Reset | None]:
        now = await present(self._db, self._viewer)
        if after is None:
            return Outlook(now), None
        asked = Horizon.parse(after)
        if asked is None or asked.epoch != now.epoch or self._is_forgotten(asked, now):
            return Outlook(now), Reset.CURSOR_UNKNOWN
        if asked.xid > now.xid:
            return Outlook(now), Reset.CURSOR_FROM_THE_FUTURE
        return Outlook(asked), None

    async def read(self, place: Outlook) -> Batch[Outlook]:
        began = time.monotonic() if place.last is None else place.began
        after = place.last or (place.horizon.xid, *START[1:])
        touched = await self._db.fetch(
            self._viewer,
            viewer_changes.CHANGES,
            limit=BATCH,
            **dict(zip(("after_xid", "after_kind", "after_id"), (str(after[0]), *after[1:]), strict=True)),
        )
        behind = place.next or replace(place.horizon, xid=touched[0].low_xid, at=int(time.time()))
        found = [row for row in touched if row.kind is not None]
        fresh = [row for row in found if place.told.get((row.kind or "", row.id)) != row.xid]
        told = {**place.told, **{(row.kind or "", row.id): row.xid for row in fresh}}
        more = len(found) == BATCH
        if more:
            end = found[-1]
            at = replace(place, told=told, last=(end.xid, end.kind or "", end.id), next=behind, began=began)
        else:
            above = {key: xid for key, xid in told.items() if xid >= behind.xid}
            at = Outlook(behind, above, began=began)
        events = await self._events(fresh, place, at)
        return Batch(events, replace(at, ended=time.monotonic()), more)

    async def complete(self, place: Outlook) -> Batch[Outlook]:
        return Batch([], place)

    def has_told(self, _place: Outlook, _number: int) -> bool:
        return False

    def _is_forgotten(self, asked: Horizon, now: Horizon) -> bool:
        """Whether tombstones from after the cursor may be gone."""
        return self._kept is not None and asked.at < now.at - self._kept

    async def _events(self, fresh: list[ViewerChangeRow], place: Outlook, at: Outlook) -> list[Event]:
        """The changed things in their newest state; the last one's cursor says that the look is complete."""
        rows: dict[tuple[str, str], Any] = {}
        for kind, (_, by_ids) in KINDS.items():
            if ids := [row.id for row in fresh if row.kind == kind]:
                rows |= {(kind, row.id): row for row in await self._db.fetch(self._viewer, by_ids, ids=ids)}
        there = [(row, thing) for row in fresh if (thing := rows.get((row.kind or "", row.id))) is not None]
        return [
            Event(_kind(row, thing), at.cursor if row is there[-1][0] else place.cursor, thing) for row, thing in there
        ]


async def present(db: Database, viewer: Viewer) -> Horizon:
    """Where a stream of the viewer's events starts if it shall tell all that comes from now on."""
    [row] = await db.fetch(viewer, viewer_changes.HORIZON)
    return _horizon(row)


def _horizon(row: HorizonRow) -> Horizon:
    return Horizon(row.epoch, row.low_xid, int(row.at.timestamp()))


def _kind(touched: ViewerChangeRow, row: Any) -> Kind:
    if touched.kind == "session" and row.erased_at is not None:
        return Kind.SESSION_REMOVED
    return KINDS[touched.kind or ""][0]
