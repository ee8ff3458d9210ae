"""Use cases of streaming messages: a producer starts one, extends it in pieces, and finishes it."""

from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any

from app import db
from app.db.access.transaction import Tx
from app.db.reading.rows import MessageKey, MessageRow
from app.db.streaming_end import EndedRow
from app.db.streaming_message import StreamStateRow
from app.errors import Conflict, Fenced, IllegalTransition, Invalid, Limit, NotFound, WrongOffset
from app.limits import MAX_TEXT_LENGTH
from app.resolvers import append, validation
from app.resolvers.message_columns import CHECKS, content_columns, usage_columns
from app.unit_of_work import UnitOfWork

DEFAULTS: dict[str, Any] = {"key": None, "agent_key": None, "metadata": None}
FENCE_BYTES = 12


async def start(work: UnitOfWork, session_id: str, fields: Mapping[str, Any]) -> tuple[MessageRow, str]:
    """Creates a streaming message, or takes over the one with this key; returns it with a new fence.

    Raises as an append does, and Conflict if the message with this key has ended.
    """
    provided = {name: value for name, value in fields.items() if value is not None}
    draft, fence = {**DEFAULTS, **validation.checked(provided, CHECKS)}, token_urlsafe(FENCE_BYTES)
    async with work.begin_in_session(session_id) as tx:
        capped = await append.lock_cap_to_reopen(work, tx, session_id)
        session = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
        if session is None or session.deleted_at is not None:
            raise NotFound("There is no such session.", field="sessionId")
        if row := await _streaming_with_key(tx, session_id, draft):
            return await _take_over(tx, row, draft, fence), fence
        await append.open_session(work, tx, session, [draft], None, capped)
        draft["metadata"] = draft["metadata"] or "{}"
        return await db.streaming_message.start(tx, session_id, draft, fence), fence


async def extend(work: UnitOfWork, key: MessageKey, fence: str, offset: int, text: str) -> MessageRow:
    """Adds text at an offset in code points. Text that is stored there already changes nothing; an empty text only
    signals that the producer is alive. Raises Fenced, WrongOffset, IllegalTransition, Limit, NotFound, Invalid.
    """
    text = validation.text(text, "text", max_length=MAX_TEXT_LENGTH)
    if offset < 0:
        raise Invalid(f"offset cannot be below zero; it is {offset}.", field="offset")
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


async def finish(work: UnitOfWork, key: MessageKey, fence: str, status: str, fields: Mapping[str, Any]) -> MessageRow:
    """Ends a streaming message with its streamed text, or with the content of `raw`. The same call again from the same
    producer changes nothing. Raises Fenced, IllegalTransition, NotFound, Invalid.
    """
    columns = _final_columns(work, fields)
    async with work.begin_in_session(key.session_id) as tx:
        await _lock_session(tx, key.session_id)
        if await db.streaming_end.close(tx, key, fence):
            columns["fence"] = fence
            return await db.streaming_end.fold(tx, key, status, work.settings.indexing, columns)
        ended = await tx.one(db.streaming_end.ENDED, **key._asdict())
        return _unchanged_by_finish(ended, fence, status, columns)


async def cancel(work: UnitOfWork, key: MessageKey) -> MessageRow:
    """Ends a streaming message as CANCELLED; a second call changes nothing. Raises IllegalTransition, NotFound."""
    async with work.begin_in_session(key.session_id) as tx:
        await _lock_session(tx, key.session_id)
        if await db.streaming_end.close(tx, key):
            return await db.streaming_end.fold(tx, key, "CANCELLED", work.settings.indexing)
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


async def _take_over(tx: Tx, row: MessageRow, draft: Mapping[str, Any], fence: str) -> MessageRow:
    """The same message under a new fence. Readers see no change, so the fence takes no change number."""
    key = MessageKey(row.session_id, row.sequence)
    await tx.one(db.streaming_message.TAKE_OVER, **key._asdict(), new_fence=fence)
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


def _unchanged_by_extend(state: StreamStateRow | None, fence: str, offset: int, text: str) -> MessageRow:
    """The message, if it has the text at this offset already. Otherwise raises why it was not extended."""
    if state is None:
        raise _no_such_message()
    if state.holder is None or state.length is None:
        raise _ended("STREAMING", state.status)
    if state.holder != fence:
        raise _fenced()
    end = offset + len(text)
    if end <= state.length and (state.repeats or not text):
        return state
    if offset == state.length and end > MAX_TEXT_LENGTH:
        raise Limit(f"A text has at most {MAX_TEXT_LENGTH} characters.", limit=MAX_TEXT_LENGTH, field="text")
    raise WrongOffset(f"The text ends at offset {state.length}.", expected=state.length, field="offset")


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
