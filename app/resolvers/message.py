"""Decisions on messages."""

from collections.abc import Mapping, Sequence
from typing import Any

from app import db
from app.context import Context, Once
from app.db.access import failures
from app.db.access.transaction import Tx
from app.db.reading.rows import MessageKey, MessageRow, SessionRow
from app.documents import content, parsing
from app.documents.content import TEXT_LENGTH
from app.errors import Conflict, IllegalTransition, Invalid, NotFound, Problem
from app.resolvers import idempotency, validation
from app.resolvers.session import cap, effective_status, make_room

MOST = 100
CHECKS = {
    "key": lambda value, field: validation.optional(value, field),
    "role": lambda value, _field: value,
    "agent_key": lambda value, field: validation.optional(value, field),
    "metadata": validation.present,
    "client_created_at": lambda value, _field: value,
}
NEW: dict[str, Any] = {"key": None, "agent_key": None, "metadata": "{}", "client_created_at": None}
NO_USAGE: dict[str, Any] = dict.fromkeys(content.USAGE)
SAME = ("role", "text", "raw", "metadata", *content.USAGE)
# Refusals that a closer look under the lock can resolve: a known key, an unknown agent.
CURABLE = ("messages_key", "messages_agent_fkey")


async def append(ctx: Context, session_id: str, fields: Mapping[str, Any], expected: int | None) -> MessageRow:
    """The message, stored. Raises NotFound, Conflict, IllegalTransition, Invalid; under a key what keys raise."""
    try:
        draft = _draft(ctx, fields)
    except Problem as problem:
        raise problem.within("message") from None
    try:
        if ctx.once is None:
            row = await db.append.append(ctx.db, ctx.viewer, session_id, draft, expected, ctx.settings.indexing)
        else:
            row = await _append_once(ctx, ctx.once, session_id, draft, expected)
    except Exception as error:
        if not any(failures.violates(error, name) for name in CURABLE):
            raise
        row = None
    if row is not None:
        return row
    if ctx.once is None:
        return (await _append_closely(ctx, session_id, [draft], expected))[0]
    async with idempotency.claimed(ctx, ctx.once) as tx:
        [row] = await _append_closely(ctx, session_id, [draft], expected)
        numbers = {"session": session_id, "sequence": row.sequence, "revision": row.revision}
        await idempotency.keep(tx, ctx.once, numbers)
    return row


async def _append_once(
    ctx: Context, once: Once, session_id: str, draft: Mapping[str, Any], expected: int | None
) -> MessageRow | None:
    try:
        row = await db.append.append_idempotent(
            ctx.db, ctx.viewer, session_id, draft, expected, ctx.settings.indexing, once
        )
    except Exception as error:
        idempotency.refuse_if_busy(error)
        raise
    if row.request_hash is not None:
        idempotency.answer(once, row.request_hash, row.result or "null")
    return row if row.session_id is not None else None


async def append_many(
    ctx: Context, session_id: str, drafts: Sequence[Mapping[str, Any]], expected: int | None
) -> list[MessageRow]:
    """All messages, stored, in the order given; or none."""
    if not 1 <= len(drafts) <= MOST:
        raise Invalid(f"messages takes 1 to {MOST} at once; it has {len(drafts)}.", field="messages")
    checked = []
    for place, fields in enumerate(drafts):
        try:
            checked.append(_draft(ctx, fields))
        except Problem as problem:
            raise problem.within("messages", str(place)) from None
    return await _append_closely(ctx, session_id, checked, expected)


async def update(ctx: Context, place: MessageKey, fields: Mapping[str, Any], expected: int | None) -> MessageRow:
    """The message with these fields. Raises NotFound, and Conflict when it is not at the expected revision."""
    said = {name: fields[name] for name in ("text", "raw") if name in fields}
    others = {name: value for name, value in fields.items() if name not in said}
    checked = validation.only(others, CHECKS) | (content_columns(ctx, said) if said else {})
    return await _rewrite(ctx, place, checked, expected)


async def redact(ctx: Context, place: MessageKey, fields: Mapping[str, Any]) -> MessageRow:
    """The message with these words in place of its own, which are gone, and so is its metadata. Raises NotFound."""
    said = {name: value for name, value in content_columns(ctx, fields).items() if name not in content.USAGE}
    return await _rewrite(ctx, place, {**said, "metadata": "{}"}, None, redacted=True)


async def delete(ctx: Context, place: MessageKey) -> MessageRow:
    """The emptied message. Raises NotFound."""
    async with ctx.writing(place[0]) as tx:
        session = await _locked(tx, place[0])
        await db.streaming_end.discard(tx, place)
        row = await tx.one(db.message.DELETE, session_id=place[0], sequence=place[1], next_revision=session.head)
        if row is None:
            raise NotFound("There is no such message.", field="id")
        unread = row.role != "USER" and row.sequence > session.last_read_sequence
        await tx.one(db.message.DECREMENT_COUNTS, session_id=place[0], unread=int(unread))
        await db.audit.record(tx, "message.deleted", row)
        tx.record_change(place[0], session.head)
    return row


async def _append_closely(
    ctx: Context, session_id: str, drafts: Sequence[Mapping[str, Any]], expected: int | None
) -> list[MessageRow]:
    """Locks the session and looks: repeated keys, unknown agents, a session to bring back, or why it cannot be."""
    async with ctx.writing(session_id) as tx:
        capped = await cap_first(ctx, tx, session_id)
        session = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
        if session is None or session.deleted_at is not None:
            raise NotFound("There is no such session.", field="sessionId")
        there = await _repeated(tx, session_id, drafts)
        fresh = [draft for place, draft in enumerate(drafts) if place not in there]
        if fresh:
            await make_ready(ctx, tx, session, fresh, expected, capped)
            rows = iter(await db.append.append_many(tx, session_id, fresh, expected, ctx.settings.indexing))
            there |= {place: next(rows) for place in range(len(drafts)) if place not in there}
            tx.record_change(session_id, max(row.revision for row in there.values()))
    return [there[place] for place in range(len(drafts))]


async def cap_first(ctx: Context, tx: Tx, session_id: str) -> bool:
    """A session that must be brought back may push another out: then the cap's lock comes before the session's."""
    session = await tx.one(db.session.ONE, session_id=session_id)
    return session is not None and _is_away(session) and await cap(ctx, tx, session.agent_type)


def _is_away(session: SessionRow) -> bool:
    return session.archived_at is not None or session.status == "EXPIRED"


async def _repeated(tx: Tx, session_id: str, drafts: Sequence[Mapping[str, Any]]) -> dict[int, MessageRow]:
    """The messages stored under these keys before, by their place. Raises Conflict for other content."""
    asked = {place: draft for place, draft in enumerate(drafts) if draft["key"] is not None}
    _refuse_doubles(asked)
    rows = await db.message.by_client_keys(tx, session_id, list(asked.values())) if asked else {}
    there: dict[int, MessageRow] = {}
    for place, draft in asked.items():
        row = rows.get((draft["agent_key"], draft["key"]))
        if row is not None:
            if row.status == "STREAMING" or any(row[name] != draft[name] for name in SAME):
                raise Conflict(
                    "Another message has this key already.", field="key", current_revision=row.revision
                ).within(*_path(len(drafts), place))
            there[place] = row
    return there


def _refuse_doubles(asked: Mapping[int, Mapping[str, Any]]) -> None:
    first: dict[Any, int] = {}
    for place, draft in asked.items():
        before = first.setdefault((draft["agent_key"], draft["key"]), place)
        if before != place:
            raise Invalid(f"The key of message {before} cannot be used twice.", field=("messages", str(place), "key"))


def _path(count: int, place: int) -> tuple[str, ...]:
    return ("message",) if count == 1 else ("messages", str(place))


async def make_ready(
    ctx: Context,
    tx: Tx,
    session: SessionRow,
    drafts: Sequence[Mapping[str, Any]],
    expected: int | None,
    capped: bool,
) -> None:
    """Whatever must hold before the messages: the session open, their agents in it."""
    if expected is not None and session.last_sequence != expected:
        raise Conflict(
            f"The newest message is {session.last_sequence}, not {expected}.",
            field="expectedSequence",
            current_revision=session.revision,
        )
    await _refuse_ended(tx, session)
    if _is_away(session):
        await _bring_back(ctx, tx, session, capped)
    for key in dict.fromkeys(draft["agent_key"] for draft in drafts if draft["agent_key"] is not None):
        await _join(tx, session.id, key)


async def _refuse_ended(tx: Tx, session: SessionRow) -> None:
    status = await effective_status(tx, session)
    if status in ("COMPLETED", "FAILED") or (status == "EXPIRED" and await _is_past_its_end(tx, session)):
        raise IllegalTransition(
            f"The session is {status} and takes no more messages.",
            from_status=status,
            to_status="ACTIVE",
            field="sessionId",
        )


async def _is_past_its_end(tx: Tx, session: SessionRow) -> bool:
    return await tx.one(db.session.HAS_EXPIRED, session_id=session.id) is not None


async def _bring_back(ctx: Context, tx: Tx, session: SessionRow, capped: bool) -> None:
    """The session ACTIVE and out of the archive; at the cap the least recently active one makes room."""
    if not capped and await cap(ctx, tx, session.agent_type):
        raise Conflict("The session was put away just now; try again.", field="sessionId")
    await tx.one(db.session.REACTIVATE, session_id=session.id)
    if capped:
        await make_room(ctx, tx, session)


async def _join(tx: Tx, session_id: str, key: str) -> None:
    """An agent not seen before joins the session, under a number of its own."""
    if await tx.one(db.session_agent.ONE, session_id=session_id, kind="AGENT", key=key) is None:
        session = await tx.one(db.session.LOCK, session_id=session_id)
        assert session is not None  # its row is locked
        await db.session_agent.create(tx, session_id, "AGENT", key, {}, session.head)


async def _locked(tx: Tx, session_id: str) -> SessionRow:
    """The session under its lock, with its next number taken."""
    session = await tx.one(db.session.LOCK, session_id=session_id)
    if session is None:
        raise NotFound("There is no such message.", field="id")
    return session


async def _rewrite(
    ctx: Context, place: MessageKey, fields: Mapping[str, Any], expected: int | None, *, redacted: bool = False
) -> MessageRow:
    """The message of the locked session with these fields, and the title that was taken from it with it."""
    async with ctx.writing(place[0]) as tx:
        session = await _locked(tx, place[0])
        before = await tx.one(db.message.ONE, session_id=place[0], sequence=place[1])
        if before is None:
            raise NotFound("There is no such message.", field="id")
        if expected not in (None, before.revision):
            raise Conflict("The message has changed since.", field="expectedRevision", current_revision=before.revision)
        if before.status == "STREAMING" and "text" in fields:
            raise IllegalTransition(
                "The message is still being written: finish it, or cancel it first.",
                from_status="STREAMING",
                to_status="COMPLETE",
                field="id",
            )
        if before.role == "USER" and "text" in fields and session.title == db.message.title_of(before.text) != "":
            await db.session.change(tx, place[0], {"title": db.message.title_of(fields["text"])}, None)
            session = await _locked(tx, place[0])
        row = await db.message.change(tx, place, fields, session.head, ctx.settings.indexing, redacted=redacted)
        assert row is not None  # its session is locked
        if redacted:
            await db.audit.record(tx, "message.redacted", row)
        tx.record_change(place[0], session.head)
    return row


def _draft(ctx: Context, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A message that can be stored."""
    said = {name: fields.get(name) for name in ("text", "raw")}
    others = {name: value for name, value in fields.items() if name in CHECKS and (name == "role" or value is not None)}
    return {
        **NEW,
        **NO_USAGE,
        **validation.only(others, CHECKS),
        **content_columns(ctx, said),
        **usage(fields.get("usage")),
    }


def content_columns(ctx: Context, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of what is said by exactly one of `text` and `raw`."""
    text, document = fields.get("text"), fields.get("raw")
    if (text is None) == (document is None):
        raise Invalid("A message needs exactly one of text and raw.", field="text")
    if document is None:
        checked = validation.text(text, "text", longest=TEXT_LENGTH)
        return {"text": checked, "raw": None, "content": None}
    kept = parsing.document(document, "raw", ctx.settings.max_raw_bytes)
    shown = content.shown(document)
    return {"text": shown.text, "raw": kept, "content": shown.content, **(shown.usage or {})}


def usage(counts: Mapping[str, Any] | None) -> dict[str, int]:
    """The columns of the tokens that a message took, as its sender counts them."""
    if counts is None:
        return {}
    found = content.counted(**counts)
    if found is None:
        raise Invalid(f"usage counts tokens, 0 to {content.MOST_TOKENS} of each kind and together.", field="usage")
    return found
