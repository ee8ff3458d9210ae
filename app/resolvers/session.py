"""Decisions on sessions."""

from collections.abc import Mapping
from typing import Any, NoReturn

from uuid_utils.compat import uuid7

from app import db
from app.context import Context
from app.db.access.failures import translated
from app.db.access.transaction import Tx
from app.db.reading.page import Slice, Window
from app.db.reading.rows import SessionRow
from app.errors import Conflict, IllegalTransition, Invalid, Limit, NotFound
from app.resolvers import validation

CHECKS = {
    "key": lambda value, field: validation.optional(value, field),
    "title": lambda value, field: validation.text(value, field),
    "role": lambda value, field: validation.optional(value, field),
    "task_id": lambda value, _field: value,
    "agent_type": lambda value, field: validation.optional(value, field),
    "status": lambda value, field: _initial(value, field),
    "metadata": validation.present,
    "expires_at": validation.future,
    "client_created_at": lambda value, _field: value,
}
NEXT_STATUS = {"PENDING": ("ACTIVE",), "ACTIVE": ("COMPLETED", "FAILED")}
NEW: dict[str, Any] = dict.fromkeys(CHECKS) | {"title": "", "status": "PENDING", "metadata": "{}"}


async def create(ctx: Context, fields: Mapping[str, Any]) -> tuple[SessionRow, list[SessionRow]]:
    """A new session, and those that the cap archived to make room. Raises Conflict when the key is taken."""
    values = NEW | validation.only({name: value for name, value in fields.items() if value is not None}, CHECKS)
    _refuse_unknown_type(ctx, values["agent_type"])
    taken = Conflict("A session with this key exists already.", field="key")
    with translated({"sessions_key": taken}):
        async with ctx.begin() as tx:
            await _refuse_unknown_task(tx, values["task_id"])
            capped = await cap(ctx, tx, values["agent_type"])
            row = await tx.one(db.session.CREATE, id=str(uuid7()), **values)
            assert row is not None  # an INSERT either returns its row or raises
            tx.record_change(row.id, row.head)
            await db.audit.record(tx, "session.created", row)
            evicted = await make_room(ctx, tx, row) if capped else []
    return row, evicted


async def make_room(ctx: Context, tx: Tx, session: SessionRow) -> list[SessionRow]:
    """The sessions that the cap archives for this one; under the cap's lock."""
    evicted = await db.session_cap.make_room(tx, session, most(ctx))
    for row in evicted:
        await db.audit.record_system(tx, "session.evicted", row)
    return evicted


async def set_status(
    ctx: Context, session_id: str, status: str, fields: Mapping[str, Any], expected: int | None
) -> SessionRow:
    """The session in its next status. Raises NotFound, IllegalTransition, Conflict."""
    checked = validation.only(fields, CHECKS)
    async with ctx.begin() as tx:
        before = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
        if before is None or before.deleted_at is not None:
            raise NotFound("There is no such session.", field="id")
        now = await effective_status(tx, before)
        if status not in NEXT_STATUS.get(now, ()):
            raise IllegalTransition(
                f"A session that is {now} cannot become {status}.", from_status=now, to_status=status, field="status"
            )
        row = await db.session.change(tx, session_id, {"status": status, **checked}, expected)
        if row is None:
            await refuse(tx, session_id)
        tx.record_change(row.id, row.head)
        await db.audit.record(tx, "session.status_changed", row, fromStatus=now, toStatus=status)
    return row


async def effective_status(tx: Tx, session: SessionRow) -> str:
    """The status of a locked session; EXPIRED from `expiresAt` on, whether the sweeper has come by or not."""
    if session.status in ("PENDING", "ACTIVE") and await tx.one(db.session.HAS_EXPIRED, session_id=session.id):
        return "EXPIRED"
    return session.status


def most(ctx: Context) -> int:
    """How many sessions of one agent type may be active; 0 is no cap."""
    return ctx.settings.max_active_sessions_per_agent_type


async def cap(ctx: Context, tx: Tx, agent_type: str | None) -> bool:
    """Takes the cap's lock, before any session's; whether there is a cap."""
    if agent_type is None or not most(ctx):
        return False
    await db.session_cap.lock(tx, agent_type)
    return True


async def update(ctx: Context, session_id: str, fields: Mapping[str, Any], expected: int | None) -> SessionRow:
    """The session with these fields. Raises NotFound, and Conflict when it is not at the expected revision."""
    checked = validation.only(fields, CHECKS)
    async with ctx.begin() as tx:
        row = await db.session.change(tx, session_id, checked, expected)
        if row is None:
            await refuse(tx, session_id)
        tx.record_change(row.id, row.head)
        await db.audit.record(tx, "session.updated", row, fields=validation.publics(checked))
    return row


async def archive(ctx: Context, session_id: str) -> SessionRow:
    """The session out of the lists; one that is archived already stays as it is."""
    return await _set(ctx, session_id, db.session.ARCHIVE, event="session.archived")


async def restore(ctx: Context, session_id: str) -> SessionRow:
    """The session neither archived nor deleted. Raises NotFound for an erased one, Limit above the cap."""
    async with ctx.begin() as tx:
        before = await tx.one(db.session.ONE, session_id=session_id)
        if before is not None:
            await _refuse_above_cap(ctx, tx, before)
        row = await tx.one(db.session.RESTORE, session_id=session_id)
        if row is None:
            return await standing(tx, session_id)
        tx.record_change(row.id, row.head)
        await db.audit.record(tx, "session.restored", row)
    return row


async def _refuse_above_cap(ctx: Context, tx: Tx, session: SessionRow) -> None:
    if not await cap(ctx, tx, session.agent_type) or session.status not in ("PENDING", "ACTIVE"):
        return
    if await db.session_cap.count_others(tx, session) >= most(ctx):
        raise Limit(
            f"{most(ctx)} sessions of this agent type are active; archive one first.", limit=most(ctx), field="id"
        )


async def deletable(ctx: Context, session_id: str) -> int:
    """How many messages would go with the session."""
    row = await ctx.loaders.sessions.load(session_id)
    if row is None:
        raise NotFound("There is no such session.", field="id")
    return row.message_count


async def delete(ctx: Context, session_id: str, *, hard: bool) -> tuple[SessionRow, int]:
    """The deleted session and how many messages went with it; SOFT deletion stops what is being written, once."""
    async with ctx.begin() as tx:
        before = await tx.one(db.session.FOR_UPDATE, session_id=session_id)
        if before is None:
            raise NotFound("There is no such session.", field="id")
        if not hard:
            await db.streaming_end.end_all(tx, session_id, "CANCELLED", ctx.settings.indexing)
        row = (
            await db.session_erasure.erase(tx, session_id)
            if hard
            else await tx.one(db.session.DELETE, session_id=session_id)
        )
        if row is not None:
            tx.record_change(row.id, row.head)
            await db.audit.record(tx, "session.deleted", row, mode="HARD" if hard else "SOFT")
    return row or before, before.message_count


async def mark_read(ctx: Context, session_id: str, up_to: int) -> SessionRow:
    """The session read up to this message, or further if it was."""
    if up_to < 0:
        raise Invalid(f"upToSequence cannot be below zero; it is {up_to}.", field="upToSequence")
    return await _set(ctx, session_id, db.session.MARK_READ, up_to=up_to)


async def page(
    ctx: Context, window: Window, field: str, direction: str, filters: Mapping[str, Any]
) -> Slice[SessionRow]:
    """One page of the viewer's sessions."""
    order = db.session.ORDERS[field, direction]
    partial = SessionRow in ctx.loaders.partial.rows
    return await db.session.page(ctx.db, ctx.viewer, window, order, filters, partial=partial)


async def standing(tx: Tx, session_id: str) -> SessionRow:
    """The session as it stands, for a write that has nothing to do. Raises NotFound if it cannot be written to."""
    row = await tx.one(db.session.ONE, session_id=session_id)
    if row is None or row.deleted_at is not None:
        raise NotFound("There is no such session.", field="id")
    return row


async def refuse(tx: Tx, session_id: str) -> NoReturn:
    """Why a write that expected a revision found nothing: a second look, because the first saw an old snapshot."""
    row = await standing(tx, session_id)
    raise Conflict("The session has changed since.", field="expectedRevision", current_revision=row.revision)


async def next_number(tx: Tx, session_id: str | None, what: str, field: str = "id") -> int | None:
    """The number of a change in the session, which it locks; None without a session, where a thing counts by itself.
    Raises NotFound of what was asked for.
    """
    if session_id is None:
        tx.record_change("", 0)
        return None
    row = await tx.one(db.session.LOCK, session_id=session_id)
    if row is None:
        raise NotFound(f"There is no such {what}.", field=field)
    tx.record_change(row.id, row.head)
    return row.head


async def _refuse_unknown_task(tx: Tx, task_id: str | None) -> None:
    if task_id is not None and await tx.one(db.task.ONE, task_id=task_id) is None:
        raise NotFound("There is no such task.", field="taskId")


async def _set(ctx: Context, session_id: str, change: Any, *, event: str = "", **values: Any) -> SessionRow:
    async with ctx.begin() as tx:
        row: SessionRow | None = await tx.one(change, session_id=session_id, **values)
        if row is None:
            return await standing(tx, session_id)
        tx.record_change(row.id, row.head)
        if event:
            await db.audit.record(tx, event, row)
    return row


def _refuse_unknown_type(ctx: Context, agent_type: str | None) -> None:
    known = ctx.settings.agent_types
    if known and agent_type is not None and agent_type not in known:
        raise Invalid(f"agentType is one of {', '.join(known)}; it is {agent_type!r}.", field="agentType")


def _initial(status: str, field: str) -> str:
    if status not in ("PENDING", "ACTIVE"):
        raise Invalid("A session begins PENDING or ACTIVE.", field=field)
    return status
