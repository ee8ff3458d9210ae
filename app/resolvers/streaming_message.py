"""Decisions on messages that are written while they are read."""

from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any, NoReturn

from app import db
from app.context import Context
from app.db.access.transaction import Tx
from app.db.reading.rows import MessageKey, MessageRow, SessionRow
from app.db.streaming_end import EndedRow
from app.db.streaming_message import StreamStateRow
from app.documents.content import TEXT_LENGTH
from app.errors import Conflict, Fenced, IllegalTransition, Invalid, Limit, NotFound, WrongOffset
from app.resolvers import message, validation

NEW: dict[str, Any] = {"key": None, "agent_key": None, "metadata": None}
FENCE_BYTES = 12
HERE = "The text ends at offset {}."


async def start(ctx: Context, session_id: str, fields: Mapping[str, Any]) -> tuple[MessageRow, str]:
    """A message to write, and the fence of who writes it; one that is being written under this key is taken over.
    Raises as an append does, and Conflict when the key's message has ended.
    """
    sent = {name: value for name, value in fields.items() if value is not None}
    draft, fence = {**NEW, **validation.only(sent, message.CHECKS)}, token_urlsafe(FENCE_BYTES)
    async with ctx.writing(session_id) as tx:
        capped = await message.cap_first(ctx, tx, session_id)
        session = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
        if session is None or session.deleted_at is not None:
            raise NotFound("There is no such session.", field="sessionId")
        if row := await _known(tx, session_id, draft):
            return await _take_over(tx, row, draft, fence), fence
        await message.make_ready(ctx, tx, session, [draft], None, capped)
        draft["metadata"] = draft["metadata"] or "{}"
        return await db.streaming_message.start(tx, session_id, draft, fence), fence


async def extend(ctx: Context, place: MessageKey, fence: str, offset: int, text: str) -> MessageRow:
    """The message with this text from this offset on; what is there already is not written twice. An empty text only
    says that the producer is still there. Raises Fenced, WrongOffset, IllegalTransition, Limit, NotFound, Invalid.
    """
    text = validation.text(text, "text", longest=TEXT_LENGTH)
    if offset < 0:
        raise Invalid(f"offset cannot be below zero; it is {offset}.", field="offset")
    at = {"session_id": place[0], "sequence": place[1], "text": text}
    row = await ctx.one(db.streaming_message.EXTEND, **at, fence=fence, expected_length=offset, max_length=TEXT_LENGTH)
    if row is None:
        standing = await ctx.one(db.streaming_message.STREAM_STATE, **at, offset=offset)
        return _already(standing, fence, offset, text)
    if text:
        ctx.record_text_growth(place[0])
    return row


async def finish(ctx: Context, place: MessageKey, fence: str, status: str, fields: Mapping[str, Any]) -> MessageRow:
    """The message, whole: as it was written, or as its document says. The same again from the same producer is a
    no-op. Raises Fenced, IllegalTransition, NotFound, Invalid.
    """
    ending = _ending(ctx, fields)
    async with ctx.writing(place[0]) as tx:
        await _locked(tx, place[0])
        if await db.streaming_end.close(tx, place, fence):
            return await db.streaming_end.fold(tx, place, status, ctx.settings.indexing, {**ending, "fence": fence})
        return _again(
            await tx.one(db.streaming_end.ENDED, session_id=place[0], sequence=place[1]), fence, status, ending
        )


async def cancel(ctx: Context, place: MessageKey) -> MessageRow:
    """The message as far as it was written; twice is a no-op. Raises IllegalTransition, NotFound."""
    async with ctx.writing(place[0]) as tx:
        await _locked(tx, place[0])
        if await db.streaming_end.close(tx, place):
            return await db.streaming_end.fold(tx, place, "CANCELLED", ctx.settings.indexing)
        row = await tx.one(db.message.ONE, session_id=place[0], sequence=place[1])
        if row is None:
            raise _absent()
        if row.status != "CANCELLED":
            _refuse(row.status, "CANCELLED")
        return row


async def _known(tx: Tx, session_id: str, draft: Mapping[str, Any]) -> MessageRow | None:
    """The message that is being written under this key."""
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
    """The same message under a new fence. That changes nothing that a reader sees, so it takes no number."""
    place = MessageKey(row.session_id, row.sequence)
    await tx.one(db.streaming_message.TAKE_OVER, session_id=place[0], sequence=place[1], new_fence=fence)
    if draft["metadata"] in (None, row.metadata):
        return row
    session = await tx.one(db.session.LOCK, session_id=place[0])
    assert session is not None  # its row is locked
    tx.record_change(session.id, session.head)
    changed = await db.message.change(tx, place, {"metadata": draft["metadata"]}, session.head, {})
    assert changed is not None  # so is its session's
    return changed


async def _locked(tx: Tx, session_id: str) -> SessionRow:
    session = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
    if session is None or session.deleted_at is not None:
        raise _absent()
    return session


def _ending(ctx: Context, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the end brings: those of a document, and what was sent beside it."""
    said = {} if fields.get("raw") is None else message.content_columns(ctx, {"raw": fields["raw"]})
    kept = validation.only({name: value for name, value in fields.items() if name == "metadata"}, message.CHECKS)
    return {**said, **message.usage(fields.get("usage")), **kept}


def _already(row: StreamStateRow | None, fence: str, offset: int, text: str) -> MessageRow:
    """The message, if it holds the text there; or why it was not extended."""
    if row is None:
        raise _absent()
    if row.holder is None or row.length is None:
        _refuse("STREAMING", row.status)
    if row.holder != fence:
        raise Fenced("Another producer has taken this message over.", field="fence")
    end = offset + len(text)
    if end <= row.length and (row.repeats or not text):
        return row
    if offset == row.length and end > TEXT_LENGTH:
        raise Limit(f"A text has at most {TEXT_LENGTH} characters.", limit=TEXT_LENGTH, field="text")
    raise WrongOffset(HERE.format(row.length), expected=row.length, field="offset")


def _again(row: EndedRow | None, fence: str, status: str, ending: Mapping[str, Any]) -> MessageRow:
    """The finished message, if this is the same end of it from the same producer once more."""
    if row is None:
        raise _absent()
    if row.status == "STREAMING":
        raise Fenced("Another producer has taken this message over.", field="fence")
    if (row.fence, row.status) != (fence, status) or any(row[name] != value for name, value in ending.items()):
        _refuse(row.status, status)
    return row


def _refuse(before: str, after: str) -> NoReturn:
    now = after if before == "STREAMING" else before
    raise IllegalTransition(
        f"The message is {now}: it is not being written any more.", from_status=before, to_status=after, field="id"
    )


def _absent() -> NotFound:
    return NotFound("There is no such message.", field="id")
