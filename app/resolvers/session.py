"""Use cases of sessions."""

from collections.abc import Mapping
from typing import Any, NoReturn

from uuid_utils.compat import uuid7

from app import db
from app.context import Context
from app.db.access.failures import translated
from app.db.access.transaction import Tx
from app.db.reading.page import KeptSlice, Slice, Window
from app.db.reading.rows import SessionRow
from app.errors import Conflict, IllegalTransition, Invalid, NotFound
from app.resolvers import session_cap, validation
from app.unit_of_work import UnitOfWork


def first_status(status: str, field: str) -> str:
    """The status of a new session."""
    if status not in ("PENDING", "ACTIVE"):
        raise Invalid("A session begins PENDING or ACTIVE.", field=field)
    return status


CHECKS: dict[str, validation.Check] = {
    "key": validation.optional_text,
    "title": validation.text,
    "role": validation.optional_text,
    "task_id": validation.unchecked,
    "agent_type": validation.optional_text,
    "status": first_status,
    "metadata": validation.not_null,
    "expires_at": validation.future,
    "client_created_at": validation.unchecked,
}
DEFAULTS: dict[str, Any] = dict.fromkeys(CHECKS) | {"title": "", "status": "PENDING", "metadata": "{}"}
NEXT_STATUS = {"PENDING": ("ACTIVE",), "ACTIVE": ("COMPLETED", "FAILED")}


async def create(work: UnitOfWork, fields: Mapping[str, Any]) -> tuple[SessionRow, list[SessionRow]]:
    """Creates a session; returns it, and the sessions that the cap archived. A field that is None gets its default.

    Raises Invalid, NotFound for the task, and Conflict for a key in use.
    """
    provided = {name: value for name, value in fields.items() if value is not None}
    values = DEFAULTS | validation.checked(provided, CHECKS)
    _check_agent_type(work, values["agent_type"])
    with translated({"sessions_key": Conflict("A session with this key exists already.", field="key")}):
        async with work.begin() as tx:
            await _check_task(tx, values["task_id"])
            capped = await session_cap.lock(work, tx, values["agent_type"])
            row = await tx.one(db.session.CREATE, id=str(uuid7()), **values)
            assert row is not None  # an INSERT either returns its row or raises
            tx.record_change(row.id, row.head)
            await db.audit.record(tx, "session.created", row)
            evicted = await session_cap.make_room(work, tx, row) if capped else []
    return row, evicted


async def update(
    work: UnitOfWork, session_id: str, fields: Mapping[str, Any], expected_revision: int | None
) -> SessionRow:
    """Changes fields of a session. Raises Invalid, NotFound, and Conflict if its revision is not the expected one."""
    values = validation.checked(fields, CHECKS)
    async with work.begin() as tx:
        row = await db.session.change(tx, session_id, values, expected_revision)
        if row is None:
            await raise_conflict(tx, session_id)
        tx.record_change(row.id, row.head)
        await db.audit.record(tx, "session.updated", row, fields=validation.public_names(values))
    return row


async def set_status(
    work: UnitOfWork, session_id: str, status: str, fields: Mapping[str, Any], expected_revision: int | None
) -> SessionRow:
    """Sets the next status of a session. Raises Invalid, NotFound, IllegalTransition, Conflict."""
    values = validation.checked(fields, CHECKS)
    async with work.begin() as tx:
        session = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
        if session is None or session.deleted_at is not None:
            raise NotFound("There is no such session.", field="id")
        before = await effective_status(tx, session)
        if status not in NEXT_STATUS.get(before, ()):
            raise IllegalTransition(
                f"A session that is {before} cannot become {status}.",
                from_status=before,
                to_status=status,
                field="status",
            )
        row = await db.session.change(tx, session_id, {"status": status, **values}, expected_revision)
        if row is None:
            await raise_conflict(tx, session_id)
        tx.record_change(row.id, row.head)
        await db.audit.record(tx, "session.status_changed", row, fromStatus=before, toStatus=status)
    return row


async def effective_status(tx: Tx, session: SessionRow) -> str:
    """The status of a locked session: EXPIRED after `expiresAt`, also before the sweeper has stored that."""
    if session.status in ("PENDING", "ACTIVE") and await tx.one(db.session.HAS_EXPIRED, session_id=session.id):
        return "EXPIRED"
    return session.status


async def archive(work: UnitOfWork, session_id: str) -> SessionRow:
    """Archives a session; an archived one stays as it is. Raises NotFound."""
    return await _change(work, session_id, db.session.ARCHIVE, event="session.archived")


async def restore(work: UnitOfWork, session_id: str) -> SessionRow:
    """Undoes archiving and SOFT deletion. Raises NotFound for an erased session, Limit above the cap."""
    async with work.begin() as tx:
        session = await tx.one(db.session.ONE, session_id=session_id)
        if session is not None:
            await session_cap.check_room(work, tx, session)
        row = await tx.one(db.session.RESTORE, session_id=session_id)
        if row is None:
            return await read(tx, session_id)
        tx.record_change(row.id, row.head)
        await db.audit.record(tx, "session.restored", row)
    return row


async def count_messages(work: UnitOfWork, session_id: str) -> int:
    """The number of messages that a deletion would remove. Raises NotFound."""
    row = await work.context.loaders.sessions.load(session_id)
    if row is None:
        raise NotFound("There is no such session.", field="id")
    return row.message_count


async def delete(work: UnitOfWork, session_id: str, *, hard: bool) -> tuple[SessionRow, int]:
    """Deletes a session; returns it and its number of messages. SOFT deletion cancels streaming messages.

    A second SOFT deletion changes nothing. Raises NotFound.
    """
    async with work.begin() as tx:
        session = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
        if session is None:
            raise NotFound("There is no such session.", field="id")
        if hard:
            row = await db.session_erasure.erase(tx, session)
        else:
            await db.streaming_end.end_all(tx, session_id, "CANCELLED", work.settings.indexing)
            row = await tx.one(db.session.DELETE, session_id=session_id)
        if row is not None:
            tx.record_change(row.id, row.head)
            await db.audit.record(tx, "session.deleted", row, mode="HARD" if hard else "SOFT")
    return row or session, session.message_count


async def mark_read(work: UnitOfWork, session_id: str, up_to_sequence: int) -> SessionRow:
    """Stores up to which message the owner has read; a number below the stored one changes nothing.

    Raises Invalid, NotFound.
    """
    if up_to_sequence < 0:
        raise Invalid(f"upToSequence cannot be below zero; it is {up_to_sequence}.", field="upToSequence")
    return await _change(work, session_id, db.session.MARK_READ, up_to=up_to_sequence)


async def page(ctx: Context, window: Window, order: tuple[str, str], filters: Mapping[str, Any]) -> Slice[SessionRow]:
    """One page of the viewer's sessions, in an order of (field, direction)."""
    loaders = ctx.loaders
    partial = SessionRow in loaders.partial.rows
    kept = None if db.session.is_filtered(filters) else loaders.kept_lists()
    what = partial, order, window.limit, window.backward, window.after, window.before
    agent_ids = loaders.kept_agent_ids(kept, what) if kept else ()
    found = await db.session.page(
        ctx.reads,
        ctx.viewer,
        window,
        db.session.ORDERS[order],
        filters,
        partial=partial,
        with_last=loaders.joins_last,
        agent_ids=agent_ids,
    )
    loaders.listed(found.rows, agent_ids)
    if kept is None:
        return found
    compared = found.has_next, found.has_previous, *found.rows
    return KeptSlice(found.rows, found.has_next, found.has_previous, found.total, kept, what, compared)


async def read(tx: Tx, session_id: str) -> SessionRow:
    """The session, for a write that changes nothing. Raises NotFound if the session cannot be written."""
    row = await tx.one(db.session.ONE, session_id=session_id)
    if row is None or row.deleted_at is not None:
        raise NotFound("There is no such session.", field="id")
    return row


async def raise_conflict(tx: Tx, session_id: str) -> NoReturn:
    """Raises why a write with an expected revision found no row.

    The session is read again, because the write saw an older snapshot after it had waited for the lock.
    """
    row = await read(tx, session_id)
    raise Conflict("The session has changed since.", field="expectedRevision", current_revision=row.revision)


async def next_number(tx: Tx, session_id: str | None, noun: str, field: str = "id") -> int | None:
    """Locks the session, and takes its number for one change. None without a session: then the object counts itself.

    Raises NotFound for this noun and field.
    """
    if session_id is None:
        tx.record_change("", 0)
        return None
    row = await tx.one(db.session.LOCK, session_id=session_id)
    if row is None:
        raise NotFound(f"There is no such {noun}.", field=field)
    tx.record_change(row.id, row.head)
    return row.head


async def _change(work: UnitOfWork, session_id: str, statement: Any, *, event: str = "", **values: Any) -> SessionRow:
    """Runs a statement that returns the session, or no row if there is nothing to change."""
    async with work.begin() as tx:
        row: SessionRow | None = await tx.one(statement, session_id=session_id, **values)
        if row is None:
            return await read(tx, session_id)
        tx.record_change(row.id, row.head)
        if event:
            await db.audit.record(tx, event, row)
    return row


async def _check_task(tx: Tx, task_id: str | None) -> None:
    if task_id is not None and await tx.one(db.task.ONE, task_id=task_id) is None:
        raise NotFound("There is no such task.", field="taskId")


def _check_agent_type(work: UnitOfWork, agent_type: str | None) -> None:
    allowed = work.settings.agent_types
    if allowed and agent_type is not None and agent_type not in allowed:
        raise Invalid(f"agentType is one of {', '.join(allowed)}; it is {agent_type!r}.", field="agentType")
