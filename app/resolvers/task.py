"""Decisions on tasks."""

from collections.abc import Mapping
from typing import Any

from uuid_utils.compat import uuid7

from app import db
from app.context import Context
from app.db.access.transaction import Tx
from app.db.reading.page import Slice, Window
from app.db.reading.rows import TaskRow
from app.errors import Conflict, IllegalTransition, NotFound
from app.resolvers import session, validation

CHECKS = {
    "type": lambda value, field: validation.text(value, field, shortest=1),
    "from_role": lambda value, field: validation.optional(value, field),
    "to_role": lambda value, field: validation.optional(value, field),
    "payload": validation.present,
    "trace_id": lambda value, field: validation.optional(value, field),
}
NEW: dict[str, Any] = {"from_role": None, "to_role": None, "payload": "{}"}
NEXT_STATUS = {"PENDING": ("ACTIVE", "CANCELLED"), "ACTIVE": ("COMPLETED", "FAILED", "CANCELLED")}


async def create(ctx: Context, session_id: str | None, fields: Mapping[str, Any]) -> TaskRow:
    """A new task, in a session or on its own. Raises NotFound for the session."""
    sent = {name: value for name, value in fields.items() if name == "trace_id" or value is not None}
    values = NEW | {"trace_id": ctx.trace_id} | validation.only(sent, CHECKS)
    async with ctx.begin() as tx:
        number = await session.next_number(tx, session_id, "session", "sessionId") or 1
        row = await db.task.create(tx, {"id": str(uuid7()), "session_id": session_id, "revision": number, **values})
        await db.audit.record(tx, "task.created", row)
    return row


async def set_status(ctx: Context, task_id: str, status: str, expected: int | None) -> TaskRow:
    """The task in its next status. Raises NotFound, Conflict, IllegalTransition."""
    async with ctx.begin() as tx:
        there = await one(tx, task_id)
        number = await session.next_number(tx, there.session_id, "task")
        there = await one(tx, task_id, lock=True)
        if expected not in (None, there.revision):
            raise Conflict("The task has changed since.", field="expectedRevision", current_revision=there.revision)
        if status not in NEXT_STATUS.get(there.status, ()):
            raise IllegalTransition(
                f"A task that is {there.status} cannot become {status}.",
                from_status=there.status,
                to_status=status,
                field="status",
            )
        row = await tx.one(
            db.task.SET_STATUS, task_id=task_id, new_status=status, next_revision=number or there.revision + 1
        )
        assert row is not None  # its row is locked
        await db.audit.record(tx, "task.status_changed", row, fromStatus=there.status, toStatus=status)
    return row


async def page(ctx: Context, window: Window, filters: Mapping[str, Any]) -> Slice[TaskRow]:
    """One page of the viewer's tasks."""
    return await db.task.page(ctx.db, ctx.viewer, window, filters)


async def one(tx: Tx, task_id: str, field: str = "id", *, lock: bool = False) -> TaskRow:
    """The task, under its lock where wanted. Raises NotFound."""
    row = await tx.one(db.task.FOR_UPDATE if lock else db.task.ONE, task_id=task_id)
    if row is None:
        raise NotFound("There is no such task.", field=field)
    return row
