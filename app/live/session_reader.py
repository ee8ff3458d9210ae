"""The events of one session: its changes after a revision, and the growth of its streaming messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from app.db import approval, message, session, session_agent, session_changes, session_history, task
from app.db.access.database import Database
from app.db.access.statement import Statement
from app.db.access.transaction import Viewer
from app.db.reading.nested import parent_arrays
from app.db.reading.rows import ChangeRow, ChunkRow, HeadRow, MessageKey, MessageRow, StreamedRow
from app.db.streaming_parts import split
from app.errors import Absent
from app.live.cursors import SessionCursor
from app.live.events import Event, Kind, PartsDelta, ResetReason, TextDelta
from app.live.reader import Batch, Start

BY_IDS: dict[str, Statement[Any]] = {"task": task.BY_IDS, "approval": approval.BY_IDS}
DELTAS: dict[type[Any], Kind] = {TextDelta: Kind.MESSAGE_DELTA, PartsDelta: Kind.MESSAGE_PARTS_DELTA}
MAX_READS = 5
NO_SESSION = "There is no such session."
Lengths = Mapping[int, int]
"""By sequence: how much of each streaming message was delivered, in code points or parts."""


@dataclass(frozen=True, slots=True)
class SessionPosition:
    """After a revision of the session, and after `lengths` of its streaming messages."""

    after: SessionCursor
    lengths: Lengths = field(default_factory=dict)

    @property
    def cursor(self) -> str:
        return str(self.after)

    def can_join(self, other: "SessionPosition") -> bool:
        return self == other


class _OtherHistory(Exception):
    """A position is after changes that the session has not had: a standby without them was promoted."""


class SessionReader:
    """Reads the events of one session; `batch_size` is the most changes that one read returns."""

    min_interval = 0.0

    def __init__(self, db: Database, viewer: Viewer, session_id: str, batch_size: int) -> None:
        self._db, self._viewer, self._session_id, self._batch_size = db, viewer, session_id, batch_size

    async def start(self, after: str | None) -> Start[SessionPosition]:
        row = await self._db.one(self._viewer, session_changes.HEAD, session_id=self._session_id)
        if row is None:
            raise Absent(NO_SESSION)
        cursor, reset = _start(row, self._session_id, after)
        if cursor.revision < row.head or row.streaming:
            return Start(SessionPosition(cursor), reset)
        return Start(SessionPosition(SessionCursor.at(self._session_id, row.head)), reset, behind=False)

    async def read(self, position: SessionPosition) -> Batch[SessionPosition]:
        try:
            changes, found = await self._changes(position.after)
        except _OtherHistory:
            return await self._reset(position)
        more = len(changes) == self._batch_size or len(found) < len(changes)
        after = _cursor_after(position.after, changes, more)
        events = [_event(change, row, position.after.base, after) for change, row in found]
        lengths = _lengths_after(position.lengths, found)
        if not more:
            deltas = await self._deltas(lengths)
            events += [Event(DELTAS[type(delta)], str(after), delta) for delta in deltas]
            lengths |= {delta.sequence: delta.end for delta in deltas}
        ended = bool(events) and events[-1].kind is Kind.SESSION_REMOVED
        return Batch(events, SessionPosition(after, lengths), more, ended)

    async def finish_replay(self, position: SessionPosition) -> Batch[SessionPosition]:
        """Every streaming message as it is so far, because deltas can only extend what the client has."""
        rows = await self._db.fetch(self._viewer, session_changes.STREAMING, session_id=self._session_id)
        new = [row for row in rows if row.sequence not in position.lengths and row.revision <= position.after.revision]
        events = [Event(Kind.MESSAGE_CHANGED, position.cursor, row) for row in new]
        lengths = {**position.lengths, **{row.sequence: row.length for row in new}}
        return Batch(events, SessionPosition(position.after, lengths))

    def has_delivered(self, position: SessionPosition, revision: int) -> bool:
        return revision <= position.after.revision

    async def _reset(self, position: SessionPosition) -> Batch[SessionPosition]:
        """StreamReset, and the streaming messages: deltas can only extend what the client has."""
        try:
            now = (await self.start(None)).position
        except Absent:
            return Batch([_reset_event(position)], position, ended=True)
        batch = await self.finish_replay(now)
        return Batch([_reset_event(now), *batch.events], batch.position)

    async def _changes(self, after: SessionCursor) -> tuple[list[ChangeRow], list[tuple[ChangeRow, Any]]]:
        """The changes after a cursor, and those of them whose row was found in the state that the change left.

        Two statements read them, so a row may have changed again in between: then both are read once more. A change
        that is still missing after MAX_READS comes with the next batch, under its newer revision.
        """
        changes, found, verified = list[ChangeRow](), list[tuple[ChangeRow, Any]](), False
        for _ in range(MAX_READS):
            changes = await self._db.fetch(
                self._viewer,
                session_changes.CHANGES,
                session_id=self._session_id,
                after=after.revision,
                limit=self._batch_size,
                verified=verified,
            )
            if changes and changes[0].kind == "history":
                await self._check_history(after)
                verified = True
                continue
            rows = await self._rows(changes)
            found = [(change, row) for change in changes if _is_current(change, row := rows.get(_key(change)))]
            if len(found) == len(changes):
                break
        return changes, found

    async def _check_history(self, after: SessionCursor) -> None:
        row = await self._db.one(self._viewer, session_changes.HEAD, session_id=self._session_id)
        if row is None or not session_history.contains(row, after.revision):
            raise _OtherHistory

    async def _deltas(self, lengths: Lengths) -> list[TextDelta | PartsDelta]:
        """The text and the parts of the streaming messages that were not delivered yet."""
        if not lengths:
            return []
        known = parent_arrays(("sequence", "offset"), list(lengths.items()))
        chunks = await self._db.fetch(self._viewer, session_changes.NEW_CHUNKS, session_id=self._session_id, **known)
        return [
            _delta(MessageKey(self._session_id, sequence), lengths[sequence], list(new))
            for sequence, new in groupby(chunks, key=lambda chunk: chunk.sequence)
        ]

    async def _rows(self, changes: list[ChangeRow]) -> dict[Any, Any]:
        """The changed rows in their newest state, by `_key`."""
        viewer, session_id = self._viewer, self._session_id
        found: dict[Any, Any] = {}
        if any(change.kind == "session" for change in changes):
            found["session"] = await self._db.one(viewer, session.ONE, session_id=session_id)
        if messages := [(session_id, change.sequence) for change in changes if change.kind == "message"]:
            named = parent_arrays(MessageKey._fields, messages)
            rows = await self._db.fetch(viewer, message.IN_SESSION, **named)
            found |= {("message", row.sequence): row for row in rows}
            if any(row.status == "STREAMING" for row in rows):
                streaming = await self._db.fetch(viewer, session_changes.STREAMING, session_id=session_id)
                found |= {("message", row.sequence): row for row in streaming}
        if keys := [
            (session_id, change.agent_kind, change.key) for change in changes if change.kind == "session_agent"
        ]:
            identities = parent_arrays(("session_id", "kind", "key"), keys)
            parts = await self._db.fetch(viewer, session_agent.BY_KEYS, **identities)
            found |= {(row.kind, row.key): row for row in parts}
        for kind, by_ids in BY_IDS.items():
            if ids := [change.key for change in changes if change.kind == kind]:
                found |= {(kind, row["id"]): row for row in await self._db.fetch(viewer, by_ids, ids=ids)}
        return found


def _delta(key: MessageKey, offset: int, chunks: list[ChunkRow]) -> TextDelta | PartsDelta:
    """The new chunks of one message as one delta."""
    if chunks[0].parts is None:
        return TextDelta(*key, offset, "".join(chunk.text for chunk in chunks))
    return PartsDelta(*key, offset, [part for chunk in chunks for part in split(chunk.parts)])


def _is_current(change: ChangeRow, row: Any) -> bool:
    """True if the row is in the state that the change left; a streaming message must come with its text or parts."""
    if row is None or row.revision != change.revision:
        return False
    return not isinstance(row, MessageRow) or row.status != "STREAMING" or isinstance(row, StreamedRow)


def _event(change: ChangeRow, row: Any, base: int, after: SessionCursor) -> Event:
    """The event of a change. The cursor of a batch's last event is the batch's own."""
    last = change.revision == after.revision
    cursor = after if last else SessionCursor(after.session_id, change.revision, base)
    return Event(_kind(change, row, base), str(cursor), row)


def _lengths_after(lengths: Lengths, found: list[tuple[ChangeRow, Any]]) -> dict[int, int]:
    """The delivered lengths after these changes: a changed message is delivered as it is so far."""
    changed = {row.sequence for _, row in found if isinstance(row, MessageRow)}
    unchanged = {sequence: length for sequence, length in lengths.items() if sequence not in changed}
    return unchanged | {row.sequence: row.length for _, row in found if isinstance(row, StreamedRow)}


def _cursor_after(cursor: SessionCursor, changes: list[ChangeRow], more: bool) -> SessionCursor:
    """The cursor after the changes; once there are no more, the replay has ended and the base moves along."""
    revision = changes[-1].revision if changes else cursor.revision
    return SessionCursor(cursor.session_id, revision, cursor.base if more else revision)


def _key(change: ChangeRow) -> Any:
    match change.kind:
        case "message":
            return "message", change.sequence
        case "session_agent":
            return change.agent_kind, change.key
        case "task" | "approval":
            return change.kind, change.key
    return "session"


def _start(row: HeadRow, session_id: str, after: str | None) -> tuple[SessionCursor, ResetReason | None]:
    """The cursor to start from, and why it is not the one that the client sent. Raises Absent."""
    requested = SessionCursor.parse(after or "")
    if requested is not None and requested.session_id != session_id:
        requested = None
    if row.erased_at is not None and (requested is None or requested.revision >= row.revision):
        raise Absent(NO_SESSION)
    now = SessionCursor.at(session_id, row.head)
    if after is None:
        return now, None
    if requested is None or requested.base > requested.revision or requested.base < row.horizon:
        return now, ResetReason.CURSOR_UNKNOWN
    if not session_history.contains(row, requested.revision):
        return now, ResetReason.CURSOR_FROM_THE_FUTURE
    return requested, None


def _reset_event(position: SessionPosition) -> Event:
    return Event(Kind.STREAM_RESET, position.cursor, ResetReason.CURSOR_FROM_THE_FUTURE)


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
