"""Use cases of appending messages.

The usual append is one statement. Its failures are resolved under the session's lock: a repeated message key, a new
agent, a session to bring back from the archive, or the reason for a refusal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app import db
from app.db.access import failures
from app.db.access.transaction import Tx
from app.db.reading.rows import MessageRow, SessionRow
from app.documents.usage import COLUMNS as USAGE
from app.errors import Conflict, IllegalTransition, Invalid, NotFound, Problem
from app.limits import MAX_BATCH
from app.resolvers import idempotency, session_cap
from app.resolvers.idempotency import IdempotencyKey
from app.resolvers.message_columns import new_columns
from app.resolvers.session import effective_status
from app.unit_of_work import UnitOfWork

# What must be equal for a repeated message key.
COMPARED = ("role", "text", "raw", "metadata", *USAGE)
# Constraints whose violations the append under the lock resolves: a repeated key, a new agent.
RESOLVABLE = ("messages_key", "messages_agent_fkey")
Draft = Mapping[str, Any]
"""The columns of a message to append."""


async def append(
    work: UnitOfWork,
    session_id: str,
    fields: Mapping[str, Any],
    expected_sequence: int | None,
    idempotency_key: IdempotencyKey | None,
) -> MessageRow:
    """Appends a message, and stores the result under the idempotency key, if there is one.

    Raises NotFound, Conflict, IllegalTransition, Invalid; with a key also Replay, KeyReused, InProgress.
    """
    try:
        draft = new_columns(work, fields)
    except Problem as problem:
        raise problem.within("message") from None
    if idempotency_key is not None:
        return await _append_at_most_once(work, session_id, draft, expected_sequence, idempotency_key)
    indexing = work.settings.indexing
    try:
        row = await db.append.append(work.db, work.viewer, session_id, draft, expected_sequence, indexing)
    except Exception as error:
        if not _is_resolvable(error):
            raise
        row = None
    if row is not None:
        return row
    return (await append_under_lock(work, session_id, [draft], expected_sequence))[0]


async def append_many(
    work: UnitOfWork, session_id: str, messages: Sequence[Mapping[str, Any]], expected_sequence: int | None
) -> list[MessageRow]:
    """Appends all messages in their order, or none. Raises as `append`."""
    if not 1 <= len(messages) <= MAX_BATCH:
        raise Invalid(f"messages takes 1 to {MAX_BATCH} at once; it has {len(messages)}.", field="messages")
    drafts = []
    for index, fields in enumerate(messages):
        try:
            drafts.append(new_columns(work, fields))
        except Problem as problem:
            raise problem.within("messages", str(index)) from None
    return await append_under_lock(work, session_id, drafts, expected_sequence)


async def _append_at_most_once(
    work: UnitOfWork, session_id: str, draft: Draft, expected_sequence: int | None, key: IdempotencyKey
) -> MessageRow:
    # Citus would run the statement on its coordinator: the claim of the key is cheaper there.
    row = None if work.db.routes else await _append_with_key(work, session_id, draft, expected_sequence, key)
    if row is not None:
        return row
    async with idempotency.claim(work, key) as claim:
        [row] = await append_under_lock(claim.work, session_id, [draft], expected_sequence)
        await claim.store(idempotency.append_result(row))
    return row


async def _append_with_key(
    work: UnitOfWork, session_id: str, draft: Draft, expected_sequence: int | None, key: IdempotencyKey
) -> MessageRow | None:
    """The stored message; None if the session does not accept the message in its present state."""
    indexing = work.settings.indexing
    try:
        row = await db.append.append_idempotent(
            work.db, work.viewer, session_id, draft, expected_sequence, indexing, key
        )
    except Exception as error:
        if _is_resolvable(error):
            return None
        idempotency.refuse_if_busy(error)
        raise
    if row.request_hash is not None:
        idempotency.replay(key, row.request_hash, row.result or "null")
    return row if row.session_id is not None else None


def _is_resolvable(error: Exception) -> bool:
    return any(failures.violates(error, constraint) for constraint in RESOLVABLE)


async def append_under_lock(
    work: UnitOfWork, session_id: str, drafts: Sequence[Draft], expected_sequence: int | None
) -> list[MessageRow]:
    """Locks the session, and appends the messages that are not stored yet."""
    async with work.begin_in_session(session_id) as tx:
        capped = await lock_cap_to_reopen(work, tx, session_id)
        session = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
        if session is None or session.deleted_at is not None:
            raise NotFound("There is no such session.", field="sessionId")
        rows = await _stored_rows(tx, session_id, drafts)
        new = [draft for index, draft in enumerate(drafts) if index not in rows]
        if new:
            await open_session(work, tx, session, new, expected_sequence, capped)
            stored = iter(await db.append.append_many(tx, session_id, new, expected_sequence, work.settings.indexing))
            rows |= {index: next(stored) for index in range(len(drafts)) if index not in rows}
            tx.record_change(session_id, max(row.revision for row in rows.values()))
    return [rows[index] for index in range(len(drafts))]


async def lock_cap_to_reopen(work: UnitOfWork, tx: Tx, session_id: str) -> bool:
    """Takes the cap's lock, before the session's lock, if the session must be reopened. False if no cap applies."""
    session = await tx.one(db.session.ONE, session_id=session_id)
    return session is not None and _is_closed(session) and await session_cap.lock(work, tx, session.agent_type)


async def open_session(
    work: UnitOfWork,
    tx: Tx,
    session: SessionRow,
    drafts: Sequence[Draft],
    expected_sequence: int | None,
    capped: bool,
) -> None:
    """Makes a locked session accept the messages: checks it, reopens it if necessary, and adds their agents."""
    if expected_sequence is not None and session.last_sequence != expected_sequence:
        raise Conflict(
            f"The newest message is {session.last_sequence}, not {expected_sequence}.",
            field="expectedSequence",
            current_revision=session.revision,
        )
    await _check_not_ended(tx, session)
    if _is_closed(session):
        await _reopen(work, tx, session, capped)
    for key in dict.fromkeys(draft["agent_key"] for draft in drafts if draft["agent_key"] is not None):
        await _ensure_agent(tx, session.id, key)


def _is_closed(session: SessionRow) -> bool:
    """True for a session that a message reopens, unless its `expiresAt` has passed."""
    return session.archived_at is not None or session.status == "EXPIRED"


async def _stored_rows(tx: Tx, session_id: str, drafts: Sequence[Draft]) -> dict[int, MessageRow]:
    """The rows of the drafts that are stored already, by index. Raises Conflict for a key with other content."""
    keyed = {index: draft for index, draft in enumerate(drafts) if draft["key"] is not None}
    _check_unique_keys(keyed)
    rows = await db.message.by_client_keys(tx, session_id, list(keyed.values())) if keyed else {}
    stored: dict[int, MessageRow] = {}
    for index, draft in keyed.items():
        row = rows.get((draft["agent_key"], draft["key"]))
        if row is None:
            continue
        if row.status == "STREAMING" or any(row[column] != draft[column] for column in COMPARED):
            conflict = Conflict("Another message has this key already.", field="key", current_revision=row.revision)
            raise conflict.within(*(("message",) if len(drafts) == 1 else ("messages", str(index))))
        stored[index] = row
    return stored


def _check_unique_keys(keyed: Mapping[int, Draft]) -> None:
    first: dict[Any, int] = {}
    for index, draft in keyed.items():
        earlier = first.setdefault((draft["agent_key"], draft["key"]), index)
        if earlier != index:
            raise Invalid(f"The key of message {earlier} cannot be used twice.", field=("messages", str(index), "key"))


async def _check_not_ended(tx: Tx, session: SessionRow) -> None:
    status = await effective_status(tx, session)
    if status in ("COMPLETED", "FAILED") or (status == "EXPIRED" and await _is_past_expiry(tx, session)):
        raise IllegalTransition(
            f"The session is {status} and takes no more messages.",
            from_status=status,
            to_status="ACTIVE",
            field="sessionId",
        )


async def _is_past_expiry(tx: Tx, session: SessionRow) -> bool:
    return await tx.one(db.session.HAS_EXPIRED, session_id=session.id) is not None


async def _reopen(work: UnitOfWork, tx: Tx, session: SessionRow, capped: bool) -> None:
    """Makes the session ACTIVE and takes it out of the archive; above the cap, archives another one."""
    if not capped and await session_cap.lock(work, tx, session.agent_type):
        # It was open before its lock, so the cap's lock came too late: locks out of order could deadlock.
        raise Conflict("The session was put away just now; try again.", field="sessionId")
    await tx.one(db.session.REACTIVATE, session_id=session.id)
    if capped:
        await session_cap.make_room(work, tx, session)


async def _ensure_agent(tx: Tx, session_id: str, key: str) -> None:
    """Adds a SessionAgent that the session does not have, under a change number of its own."""
    if await tx.one(db.session_agent.ONE, session_id=session_id, kind="AGENT", key=key) is None:
        session = await tx.one(db.session.LOCK, session_id=session_id)
        assert session is not None  # its row is locked
        await db.session_agent.create(tx, session_id, "AGENT", key, {}, session.head)
