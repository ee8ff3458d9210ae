"""Use cases of streaming messages: a producer starts one, extends it in pieces, and finishes it."""

from collections.abc import Mapping, Sequence
from secrets import token_urlsafe
from typing import Any, TypeVar

from app import db
from app.db.access.transaction import Tx
from app.db.reading.rows import MessageKey, MessageRow
from app.db.streaming_end import EndedRow
from app.db.streaming_message import StreamStateRow, TextStateRow
from app.db.streaming_parts import PartsStateRow
from app.documents.parsing import MAX_LEVELS
from app.documents.parts import is_too_deep, text_inside
from app.errors import Conflict, Fenced, IllegalTransition, Invalid, Limit, NotFound, WrongOffset
from app.limits import MAX_TEXT_LENGTH
from app.resolvers import append, validation
from app.resolvers.message_columns import CHECKS, content_columns, usage_columns
from app.unit_of_work import UnitOfWork

S = TypeVar("S", bound=StreamStateRow)
DEFAULTS: dict[str, Any] = {"key": None, "agent_key": None, "metadata": None}
FENCE_BYTES = 12


async def start(
    work: UnitOfWork, session_id: str, fields: Mapping[str, Any], parts_format: str | None
) -> tuple[MessageRow, str]:
    """Creates a streaming message, or takes over the one with this key; returns it with a new fence.

    `parts_format` is None for a stream of text. Raises as an append does, and Conflict if the message with this key has
    ended or has another kind of stream.
    """
    provided = {name: value for name, value in fields.items() if value is not None}
    draft, fence = {**DEFAULTS, **validation.checked(provided, CHECKS)}, token_urlsafe(FENCE_BYTES)
    async with work.begin_in_session(session_id) as tx:
        capped = await append.lock_cap_to_reopen(work, tx, session_id)
        session = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
        if session is None or session.deleted_at is not None:
            raise NotFound("There is no such session.", field="sessionId")
        if row := await _streaming_with_key(tx, session_id, draft):
            return await _take_over(tx, row, draft, fence, parts_format), fence
        await append.open_session(work, tx, session, [draft], None, capped)
        draft["metadata"] = draft["metadata"] or "{}"
        return await db.streaming_message.start(tx, session_id, draft, fence, parts_format), fence


async def extend(work: UnitOfWork, key: MessageKey, fence: str, offset: int, text: str) -> MessageRow:
    """Adds text at an offset in code points. Text that is stored there already changes nothing; an empty text only
    signals that the producer is alive. Raises Fenced, WrongOffset, IllegalTransition, Limit, NotFound, Invalid.
    """
    text = validation.text(text, "text", max_length=MAX_TEXT_LENGTH)
    _check_offset(offset)
    piece = {"session_id": key.session_id, "sequence": key.sequence, "text": text}
    row = await work.one(
        db.streaming_message.EXTEND, **piece, fence=fence, expected_length=offset, max_length=MAX_TEXT_LENGTH
    )
    if row is None:
        state = await work.one(db.streaming_message.STREAM_STATE, **piece, offset=offset)
        return _unchanged_by_extend(state, fence, offset, text)
    if text:
        work.record_text_growth(key.session_id)
    return row


async def extend_with_parts(
    work: UnitOfWork, key: MessageKey, fence: str, offset: int, parts: Sequence[str]
) -> MessageRow:
    """Adds parts, JSON texts, at an offset in parts. Parts that are stored there already change nothing.

    Raises Fenced, WrongOffset, IllegalTransition, Limit, NotFound, Invalid.
    """
    _check_offset(offset)
    if any(is_too_deep(part) for part in parts):
        raise Invalid(f"A part is nested at most {MAX_LEVELS} levels deep.", field="parts")
    lines, maximum = "\n".join(parts), work.settings.max_raw_bytes
    row = await work.one(
        db.streaming_parts.EXTEND,
        **key._asdict(),
        fence=fence,
        expected_length=offset,
        text=text_inside(parts),
        parts=lines,
        count=len(parts),
        bytes=len(lines.encode()),
        max_bytes=maximum,
    )
    if row is None:
        state = await work.one(db.streaming_parts.STATE, **key._asdict(), offset=offset, count=len(parts))
        return _unchanged_by_parts(state, fence, offset, parts, maximum)
    work.record_text_growth(key.session_id)
    return row


async def finish(work: UnitOfWork, key: MessageKey, fence: str, status: str, fields: Mapping[str, Any]) -> MessageRow:
    """Ends a streaming message with what was streamed, or with the content of `raw`. The same call again from the same
    producer changes nothing. Raises Fenced, IllegalTransition, NotFound, Invalid.
    """
    columns = _final_columns(work, fields)
    async with work.begin_in_session(key.session_id) as tx:
        await _lock_session(tx, key.session_id)
        if closed := await db.streaming_end.close(tx, key, fence):
            columns["fence"] = fence
            return await db.streaming_end.fold(tx, closed, key, status, work.settings.indexing, columns)
        ended = await tx.one(db.streaming_end.ENDED, **key._asdict())
        return _unchanged_by_finish(ended, fence, status, columns)


async def cancel(work: UnitOfWork, key: MessageKey) -> MessageRow:
    """Ends a streaming message as CANCELLED; a second call changes nothing. Raises IllegalTransition, NotFound."""
    async with work.begin_in_session(key.session_id) as tx:
        await _lock_session(tx, key.session_id)
        if closed := await db.streaming_end.close(tx, key):
            return await db.streaming_end.fold(tx, closed, key, "CANCELLED", work.settings.indexing)
        row = await tx.one(db.message.ONE, **key._asdict())
        if row is None:
            raise _no_such_message()
        if row.status != "CANCELLED":
            raise _ended(row.status, "CANCELLED")
        return row


async def _streaming_with_key(tx: Tx, session_id: str, draft: Mapping[str, Any]) -> MessageRow | None:
    """The streaming message with the draft's key. Raises Conflict if its message has ended or has another role."""
    rows = await db.message.by_client_keys(tx, session_id, [draft]) if draft["key"] is not None else {}
    row = next(iter(rows.values()), None)
    if row is not None and row.status != "STREAMING":
        raise Conflict(
            f"A message with this key exists already; it is {row.status}.", field="key", current_revision=row.revision
        )
    if row is not None and row.role != draft["role"]:
        raise Conflict(f"This key's message is {row.role}'s.", field="role", current_revision=row.revision)
    return row


async def _take_over(
    tx: Tx, row: MessageRow, draft: Mapping[str, Any], fence: str, parts_format: str | None
) -> MessageRow:
    """The same message under a new fence. Readers see no change, so the fence takes no change number.

    Raises Conflict if its stream is of another kind.
    """
    key = MessageKey(row.session_id, row.sequence)
    stream = {"new_fence": fence, "parts_format": parts_format}
    if await tx.one(db.streaming_message.TAKE_OVER, **key._asdict(), **stream) is None:
        what = "The message with this key has another kind of stream or other parts."
        raise Conflict(what, field="stream", current_revision=row.revision)
    if draft["metadata"] in (None, row.metadata):
        return row
    session = await tx.one(db.session.LOCK, session_id=key.session_id)
    assert session is not None  # its row is locked
    tx.record_change(session.id, session.head)
    changed = await db.message.change(tx, key, {"metadata": draft["metadata"]}, session.head, {})
    assert changed is not None  # so is its session's
    return changed


async def _lock_session(tx: Tx, session_id: str) -> None:
    session = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
    if session is None or session.deleted_at is not None:
        raise _no_such_message()


def _final_columns(work: UnitOfWork, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that `finish` sets: those of `raw`, the usage and the metadata."""
    content = {} if fields.get("raw") is None else content_columns(work, {"raw": fields["raw"]})
    metadata = validation.checked({name: value for name, value in fields.items() if name == "metadata"}, CHECKS)
    return {**content, **usage_columns(fields.get("usage")), **metadata}


def _check_offset(offset: int) -> None:
    if offset < 0:
        raise Invalid(f"offset cannot be below zero; it is {offset}.", field="offset")


def _unchanged_by_extend(state: TextStateRow | None, fence: str, offset: int, text: str) -> MessageRow:
    """The message, if it has the text at this offset already. Otherwise raises why it was not extended."""
    state, length = _writable(state, fence)
    if text and state.parts_format is not None:
        raise Invalid("This message consists of parts: send parts instead of text.", field="text")
    end = offset + len(text)
    if end <= length and (state.repeats or not text):
        return state
    if offset == length and end > MAX_TEXT_LENGTH:
        raise Limit(f"A text has at most {MAX_TEXT_LENGTH} characters.", limit=MAX_TEXT_LENGTH, field="text")
    raise WrongOffset(f"The text ends at offset {length}.", expected=length, field="offset")


def _unchanged_by_parts(
    state: PartsStateRow | None, fence: str, offset: int, parts: Sequence[str], maximum: int
) -> MessageRow:
    """The message, if it has the parts at this offset already. Otherwise raises why it was not extended."""
    state, length = _writable(state, fence)
    if state.parts_format is None:
        raise Invalid("This message consists of text: send text instead of parts.", field="parts")
    if state.offset is not None and offset + len(parts) <= length:
        start = offset - state.offset
        if db.streaming_parts.split(state.chunks)[start : start + len(parts)] == list(parts):
            return state
    if offset == length:
        raise Limit(f"The parts of a message have at most {maximum} bytes.", limit=maximum, field="parts")
    raise WrongOffset(f"The message has {length} parts.", expected=length, field="offset")


def _writable(state: S | None, fence: str) -> tuple[S, int]:
    """The state of a stream that this producer writes, and the length of the stream."""
    if state is None:
        raise _no_such_message()
    if state.holder is None or state.length is None:
        raise _ended("STREAMING", state.status)
    if state.holder != fence:
        raise _fenced()
    return state, state.length


def _unchanged_by_finish(row: EndedRow | None, fence: str, status: str, columns: Mapping[str, Any]) -> MessageRow:
    """The message, if the same producer has finished it in the same way. Otherwise raises why it was not finished."""
    if row is None:
        raise _no_such_message()
    if row.status == "STREAMING":
        raise _fenced()
    if (row.fence, row.status) != (fence, status) or any(row[name] != value for name, value in columns.items()):
        raise _ended(row.status, status)
    return row


def _ended(before: str, after: str) -> IllegalTransition:
    status = after if before == "STREAMING" else before
    return IllegalTransition(
        f"The message is {status}: it is not being written any more.", from_status=before, to_status=after, field="id"
    )


def _fenced() -> Fenced:
    return Fenced("Another producer has taken this message over.", field="fence")


def _no_such_message() -> NotFound:
    return NotFound("There is no such message.", field="id")
