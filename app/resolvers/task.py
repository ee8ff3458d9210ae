"""Use cases of tasks."""

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
from app.unit_of_work import UnitOfWork

CHECKS: dict[str, validation.Check] = {
    "type": validation.name,
    "from_role": validation.optional_text,
    "to_role": validation.optional_text,
    "payload": validation.not_null,
    "trace_id": validation.optional_text,
}
DEFAULTS: dict[str, Any] = {"from_role": None, "to_role": None, "payload": "{}"}
NEXT_STATUS = {"PENDING": ("ACTIVE", "CANCELLED"), "ACTIVE": ("COMPLETED", "FAILED", "CANCELLED")}


async def create(work: UnitOfWork, session_id: str | None, fields: Mapping[str, Any]) -> TaskRow:
    """Creates a task, in a session or outside of sessions. Raises Invalid, and NotFound for the session."""
    provided = {name: value for name, value in fields.items() if name == "trace_id" or value is not None}
    values = DEFAULTS | {"trace_id": work.context.trace_id} | validation.checked(provided, CHECKS)
    async with work.begin() as tx:
        number = await session.next_number(tx, session_id, "session", "sessionId") or 1
        row = await db.task.create(tx, {"id": str(uuid7()), "session_id": session_id, "revision": number, **values})
        await db.audit.record(tx, "task.created", row)
    return row


async def set_status(work: UnitOfWork, task_id: str, status: str, expected_revision: int | None) -> TaskRow:
    """Sets the next status of a task. Raises NotFound, Conflict, IllegalTransition."""
    async with work.begin() as tx:
        # The session is locked before the task (order of locks), so the task is read twice.
        session_id = (await read(tx, task_id)).session_id
        number = await session.next_number(tx, session_id, "task")
        task = await read(tx, task_id, lock=True)
        if expected_revision not in (None, task.revision):
            raise Conflict("The task has changed since.", field="expectedRevision", current_revision=task.revision)
        if status not in NEXT_STATUS.get(task.status, ()):
            raise IllegalTransition(
                f"A task that is {task.status} cannot become {status}.",
                from_status=task.status,
                to_status=status,
                field="status",
            )
        revision = number or task.revision + 1
        row = await tx.one(db.task.SET_STATUS, task_id=task_id, new_status=status, next_revision=revision)
        assert row is not None  # its row is locked
        await db.audit.record(tx, "task.status_changed", row, fromStatus=task.status, toStatus=status)
    return row


async def page(ctx: Context, window: Window, filters: Mapping[str, Any]) -> Slice[TaskRow]:
    """One page of the viewer's tasks, the oldest first."""
    return await db.task.page(ctx.reads, ctx.viewer, window, filters)


async def read(tx: Tx, task_id: str, field: str = "id", *, lock: bool = False) -> TaskRow:
    """The task, locked on request. Raises NotFound for this field of the input."""
    row = await tx.one(db.task.FOR_UPDATE if lock else db.task.ONE, task_id=task_id)
    if row is None:
        raise NotFound("There is no such task.", field=field)
    return row
