"""The events of one session: what changed after a number, and how its streaming messages have grown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from app.db import approval, message, session, session_agent, session_changes, task
from app.db.access.database import Database
from app.db.access.statement import Statement
from app.db.access.transaction import Viewer
from app.db.reading.nested import parent_arrays
from app.db.reading.rows import ChangeRow, MessageRow, SessionRow, StreamingRow
from app.errors import Absent
from app.live.cursors import Position
from app.live.events import Delta, Event, Kind, Reset
from app.live.reader import BATCH, Batch

BY_IDS: dict[str, Statement[Any]] = {"task": task.BY_IDS, "approval": approval.BY_IDS}
READS = 5
Streams = Mapping[int, int]
"""How much of which streaming message has been told, in code points."""


@dataclass(frozen=True, slots=True)
class Place:
    """After a number of the session, and after so much of the messages that are being written."""

    position: Position
    streams: Streams = field(default_factory=dict)

    @property
    def cursor(self) -> str:
        return str(self.position)

    def meets(self, other: "Place") -> bool:
        return self == other


class SessionReader:
    """Reads what changes in one session of the viewer."""

    pause = 0.0

    def __init__(self, db: Database, viewer: Viewer, session_id: str) -> None:
        self._db, self._viewer, self._session_id = db, viewer, session_id

    async def begin(self, after: str | None) -> tuple[Place, Reset | None]:
        row = await self._db.one(self._viewer, session.ONE, session_id=self._session_id)
        position, reset = _begin(row, self._session_id, after)
        return Place(position), reset

    async def read(self, place: Place) -> Batch[Place]:
        changes, found = await self._changed(place.position)
        more = len(changes) == BATCH or len(found) < len(changes)
        at = _after(place.position, changes, more)
        events = [_event(change, row, place.position.base, at) for change, row in found]
        streams = _still_written(place.streams, found)
        if not more:
            grown = await self._grown(at, streams)
            events += grown
            streams |= {delta.sequence: delta.offset + len(delta.text) for delta in map(_delta, grown)}
        over = bool(events) and events[-1].kind is Kind.SESSION_REMOVED
        return Batch(events, Place(at, streams), more, over)

    async def complete(self, place: Place) -> Batch[Place]:
        """Every message that is being written, whole: deltas mean something from there on."""
        rows = await self._db.fetch(self._viewer, session_changes.STREAMING, session_id=self._session_id)
        fresh = [row for row in rows if row.sequence not in place.streams and row.revision <= place.position.number]
        events = [Event(Kind.MESSAGE_CHANGED, place.cursor, row) for row in fresh]
        streams = {**place.streams, **{row.sequence: row.length for row in fresh}}
        return Batch(events, Place(place.position, streams))

    def has_told(self, place: Place, number: int) -> bool:
        return number <= place.position.number

    async def _changed(self, position: Position) -> tuple[list[ChangeRow], list[tuple[ChangeRow, Any]]]:
        """What changed, and that in its newest state: read once more when something changed between the two.

        Whatever were left out comes again, under its newer number.
        """
        changes, found = list[ChangeRow](), list[tuple[ChangeRow, Any]]()
        for _ in range(READS):
            changes = await self._db.fetch(
                self._viewer, session_changes.CHANGES, session_id=self._session_id, after=position.number, limit=BATCH
            )
            rows = await self._rows(changes)
            found = [(change, row) for change in changes if _is_whole(change, row := rows.get(_key(change)))]
            if len(found) == len(changes):
                break
        return changes, found

    async def _grown(self, position: Position, streams: Streams) -> list[Event]:
        """The new text of the messages that are being written."""
        if not streams:
            return []
        known = parent_arrays(("sequence", "offset"), list(streams.items()))
        chunks = await self._db.fetch(self._viewer, session_changes.NEW_CHUNKS, session_id=self._session_id, **known)
        return [
            Event(
                Kind.MESSAGE_DELTA,
                str(position),
                Delta(self._session_id, sequence, streams[sequence], "".join(chunk.text for chunk in new)),
            )
            for sequence, new in groupby(chunks, key=lambda chunk: chunk.sequence)
        ]

    async def _rows(self, changes: list[ChangeRow]) -> dict[Any, Any]:
        viewer, session_id = self._viewer, self._session_id
        found: dict[Any, Any] = {}
        if any(change.kind == "session" for change in changes):
            found["session"] = await self._db.one(viewer, session.ONE, session_id=session_id)
        if sequences := [change.sequence for change in changes if change.kind == "message"]:
            rows = await self._db.fetch(viewer, message.IN_SESSION, session_id=session_id, sequences=sequences)
            found |= {("message", row.sequence): row for row in rows}
            if any(row.status == "STREAMING" for row in rows):
                whole = await self._db.fetch(viewer, session_changes.STREAMING, session_id=session_id)
                found |= {("message", row.sequence): row for row in whole}
        if keys := [
            (session_id, change.agent_kind, change.key) for change in changes if change.kind == "session_agent"
        ]:
            named = parent_arrays(("session_id", "kind", "key"), keys)
            parts = await self._db.fetch(viewer, session_agent.BY_KEYS, **named)
            found |= {(row.kind, row.key): row for row in parts}
        for kind, by_ids in BY_IDS.items():
            if ids := [change.key for change in changes if change.kind == kind]:
                found |= {(kind, row["id"]): row for row in await self._db.fetch(viewer, by_ids, ids=ids)}
        return found


def _is_whole(change: ChangeRow, row: Any) -> bool:
    """Whether the row is what the change has left; a message that is being written must have come with its text."""
    if row is None or row.revision != change.revision:
        return False
    return not isinstance(row, MessageRow) or row.status != "STREAMING" or isinstance(row, StreamingRow)


def _event(change: ChangeRow, row: Any, base: int, at: Position) -> Event:
    """The event of a change; the last one of a batch says where the reader is after all of it."""
    here = at if change.revision == at.number else Position(at.session_id, change.revision, base)
    return Event(_kind(change, row, base), str(here), row)


def _still_written(streams: Streams, found: list[tuple[ChangeRow, Any]]) -> dict[int, int]:
    """How much has been told of which streaming message, once these changes have been."""
    changed = {row.sequence for _, row in found if isinstance(row, MessageRow)}
    kept = {sequence: length for sequence, length in streams.items() if sequence not in changed}
    return kept | {row.sequence: row.length for _, row in found if isinstance(row, StreamingRow)}


def _delta(event: Event) -> Delta:
    delta: Delta = event.thing
    return delta


def _after(position: Position, changes: list[ChangeRow], more: bool) -> Position:
    """Where a reader is after the changes; once all have been told, there is nothing new up to there."""
    number = changes[-1].revision if changes else position.number
    return Position(position.session_id, number, position.base if more else number)


def _key(change: ChangeRow) -> Any:
    match change.kind:
        case "message":
            return "message", change.sequence
        case "session_agent":
            return change.agent_kind, change.key
        case "task" | "approval":
            return change.kind, change.key
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
        case "session_agent":
            return Kind.SESSION_AGENT_CHANGED
        case "task":
            return Kind.TASK_CHANGED
        case "approval":
            return Kind.APPROVAL_CHANGED
    return Kind.SESSION_REMOVED if row.erased_at is not None else Kind.SESSION_CHANGED
