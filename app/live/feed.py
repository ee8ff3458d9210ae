"""A session's events: watch, replay what came after the cursor, say so, follow. The rows are the log (invariant 3)."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.db import approval, feed, message, session, session_agent, task
from app.db.database import Database, Statement, Viewer
from app.db.page import arrays
from app.db.rows import ChangeRow, SessionRow
from app.errors import Absent
from app.live.bus import Bus, Watch
from app.live.cursor import Position

BATCH = 100
READS = 5
POLL_SECONDS = 30.0
DEGRADED_POLL_SECONDS = 2.0
BY_IDS: dict[str, Statement[Any]] = {"task": task.BY_IDS, "approval": approval.BY_IDS}


class Kind(Enum):
    """What an event tells."""

    MESSAGE_ADDED = "MessageAdded"
    MESSAGE_CHANGED = "MessageChanged"
    MESSAGE_REMOVED = "MessageRemoved"
    SESSION_CHANGED = "SessionChanged"
    SESSION_REMOVED = "SessionRemoved"
    SESSION_AGENT_CHANGED = "SessionAgentChanged"
    TASK_CHANGED = "TaskChanged"
    APPROVAL_CHANGED = "ApprovalChanged"
    CAUGHT_UP = "CaughtUp"
    STREAM_RESET = "StreamReset"


class Reset(Enum):
    """Why a cursor could not be honoured."""

    CURSOR_UNKNOWN = "CURSOR_UNKNOWN"
    CURSOR_FROM_THE_FUTURE = "CURSOR_FROM_THE_FUTURE"


@dataclass(frozen=True, slots=True)
class Event:
    """One event and the reader's position after it; `thing` is the row it tells of, or the reason of a reset."""

    kind: Kind
    position: Position
    thing: Any = None


class Feed:
    """Follows sessions: their rows from the database, the moment to look from the bus."""

    def __init__(self, db: Database, bus: Bus) -> None:
        self._db, self._bus = db, bus

    async def session_events(
        self, viewer: Viewer, session_id: str, after: str | None, follow: bool
    ) -> AsyncGenerator[Event, None]:
        """Raises Absent when there is no such session, and none was erased after the cursor."""
        with self._bus.watch(viewer.subject, session_id) as watch:
            row = await self._db.one(viewer, session.STATE, session_id=session_id)
            position, reset = _begin(row, session_id, after)
            if reset is not None:
                yield Event(Kind.STREAM_RESET, position, reset)
            caught_up = False
            while True:
                changes, events = await self._read(viewer, position)
                for event in events:
                    yield event
                    if event.kind is Kind.SESSION_REMOVED:
                        return
                if changes:
                    position = Position(session_id, changes[-1].revision, position.base)
                if len(changes) == BATCH:
                    continue
                if len(events) == len(changes):
                    position = Position.at(session_id, position.number)
                if not caught_up:
                    caught_up = True
                    yield Event(Kind.CAUGHT_UP, position)
                    if not follow:
                        return
                await self._pause(watch, position)

    async def _read(self, viewer: Viewer, position: Position) -> tuple[list[ChangeRow], list[Event]]:
        """What changed, and that in its newest state: read once more when something changed between the two.

        Whatever were left out comes again, but no longer as something new.
        """
        changes, events = list[ChangeRow](), list[Event]()
        for _ in range(READS):
            changes = await self._db.fetch(
                viewer, feed.CHANGES, session_id=position.session_id, after=position.number, limit=BATCH
            )
            events = await self._events(viewer, position, changes)
            if len(events) == len(changes):
                break
        return changes, events

    async def _pause(self, watch: Watch, position: Position) -> None:
        watch.number = position.number
        await watch.wait(POLL_SECONDS if self._bus.healthy else DEGRADED_POLL_SECONDS)

    async def _events(self, viewer: Viewer, start: Position, changes: list[ChangeRow]) -> list[Event]:
        """The changed things in their newest state, all of a kind read together."""
        rows = await self._rows(viewer, start.session_id, changes)
        events = []
        for place, change in enumerate(changes, 1):
            row = rows.get(_key(change))
            # A row that has moved on comes again, under its newer number.
            if row is not None and row.revision == change.revision:
                base = change.revision if place == len(changes) < BATCH else start.base
                position = Position(start.session_id, change.revision, base)
                events.append(Event(_kind(change, row, start.base), position, row))
        return events

    async def _rows(self, viewer: Viewer, session_id: str, changes: list[ChangeRow]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        if any(change.kind == "session" for change in changes):
            found["session"] = await self._db.one(viewer, session.STATE, session_id=session_id)
        if sequences := [change.sequence for change in changes if change.kind == "message"]:
            rows = await self._db.fetch(viewer, message.IN_SESSION, session_id=session_id, sequences=sequences)
            found |= {("message", row.sequence): row for row in rows}
        if keys := [(session_id, change.part_kind, change.part_key) for change in changes if change.kind == "part"]:
            named = arrays(("session_id", "kind", "key"), keys)
            parts = await self._db.fetch(viewer, session_agent.BY_IDENTITIES, **named)
            found |= {(row.kind, row.key): row for row in parts}
        for kind, by_ids in BY_IDS.items():
            if ids := [change.part_key for change in changes if change.kind == kind]:
                found |= {(kind, row["id"]): row for row in await self._db.fetch(viewer, by_ids, ids=ids)}
        return found


def _key(change: ChangeRow) -> Any:
    match change.kind:
        case "message":
            return "message", change.sequence
        case "part":
            return change.part_kind, change.part_key
        case "task" | "approval":
            return change.kind, change.part_key
    return "session"


def _begin(row: SessionRow | None, session_id: str, after: str | None) -> tuple[Position, Reset | None]:
    """Where a reader begins, and why not where it asked to."""
    asked = Position.parse(after or "")
    if asked is not None and asked.session_id != session_id:
        asked = None
    if row is None or (row.erased_at is not None and (asked is None or asked.number >= row.revision)):
        raise Absent("There is no such session.")
    now = Position.at(session_id, row.head)
    if after is None:
        return now, None
    if asked is None or asked.base > asked.number or asked.base < row.horizon:
        return now, Reset.CURSOR_UNKNOWN
    return (now, Reset.CURSOR_FROM_THE_FUTURE) if asked.number > row.head else (asked, None)


def _kind(change: ChangeRow, row: Any, base: int) -> Kind:
    match change.kind:
        case "message" if row.deleted_at is not None:
            return Kind.MESSAGE_REMOVED
        case "message":
            return Kind.MESSAGE_ADDED if row.created_revision > base else Kind.MESSAGE_CHANGED
        case "part":
            return Kind.SESSION_AGENT_CHANGED
        case "task":
            return Kind.TASK_CHANGED
        case "approval":
            return Kind.APPROVAL_CHANGED
    return Kind.SESSION_REMOVED if row.erased_at is not None else Kind.SESSION_CHANGED
