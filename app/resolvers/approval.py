"""Use cases of approvals."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from uuid_utils.compat import uuid7

from app import db
from app.context import Context
from app.db.access.transaction import Tx
from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, DocumentRow, MessageKey, TaskRow
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.limits import MAX_NOTE_LENGTH
from app.resolvers import task, validation
from app.resolvers.session import next_number
from app.unit_of_work import UnitOfWork

notes_text = partial(validation.optional_text, min_length=0, max_length=MAX_NOTE_LENGTH)
CHECKS: dict[str, validation.Check] = {
    "tool_use_id": validation.optional_text,
    "approver_role": validation.optional_text,
    "notes": notes_text,
}
DEFAULTS: dict[str, Any] = dict.fromkeys(CHECKS)
STATUS_AFTER = {"APPROVE": "APPROVED", "REJECT": "REJECTED", "CANCEL": "CANCELLED"}


async def request(
    work: UnitOfWork,
    task_id: str | None,
    session_id: str | None,
    message: MessageKey | None,
    fields: Mapping[str, Any],
) -> ApprovalRow:
    """Creates an approval for a task, for a tool call in a message, or for both.

    Raises NotFound, and Invalid if task, session and message do not belong together.
    """
    values = DEFAULTS | validation.checked(fields, CHECKS)
    tool_use_id = values["tool_use_id"]
    _check_subject(task_id, session_id, message, tool_use_id)
    async with work.begin() as tx:
        waiting_task = await task.read(tx, task_id, "taskId") if task_id else None
        home = message.session_id if message else session_id or (waiting_task.session_id if waiting_task else None)
        number = await next_number(tx, home, *_noun_and_field(message, session_id)) or 1
        if home is not None and message is not None:
            await _check_tool_call(tx, message, tool_use_id)
        if home is not None and waiting_task is not None:
            await _check_task(tx, home, waiting_task)
        subject = {"task_id": task_id, "session_id": home, "message_sequence": message.sequence if message else None}
        row = await db.approval.create(tx, {"id": str(uuid7()), "revision": number, **subject, **values})
        await db.audit.record(tx, "approval.requested", row)
    return row


async def decide(work: UnitOfWork, approval_id: str, decision: str, notes: str | None) -> ApprovalRow:
    """Decides an approval; notes replace those of the request. Raises Invalid, NotFound, Forbidden, and Conflict for a
    second decision.
    """
    notes = notes_text(notes, "notes")
    async with work.begin() as tx:
        # The session is locked before the approval (order of locks), so the approval is read twice.
        approval = await _read(tx, approval_id)
        if approval.approver_role is not None and approval.approver_role not in work.viewer.roles:
            raise Forbidden(f"This takes the role {approval.approver_role}, which the token does not name.", field="id")
        number = await next_number(tx, approval.session_id, "approval")
        approval = await _read(tx, approval_id, lock=True)
        if approval.status != "PENDING":
            raise Conflict("This approval is already decided.", field="id")
        row = await tx.one(
            db.approval.DECIDE,
            approval_id=approval_id,
            new_status=STATUS_AFTER[decision],
            new_notes=notes,
            new_decided_by=work.viewer.actor,
            next_revision=number or approval.revision + 1,
        )
        assert row is not None  # its row is locked
        await db.audit.record(tx, "approval.decided", row, role=row.approver_role, status=row.status)
    return row


async def page(ctx: Context, window: Window, filters: Mapping[str, Any]) -> Slice[ApprovalRow]:
    """One page of the viewer's approvals, the oldest first."""
    return await db.approval.page(ctx.reads, ctx.viewer, window, filters)


async def _read(tx: Tx, approval_id: str, *, lock: bool = False) -> ApprovalRow:
    row = await tx.one(db.approval.FOR_UPDATE if lock else db.approval.ONE, approval_id=approval_id)
    if row is None:
        raise NotFound("There is no such approval.", field="id")
    return row


def _check_subject(
    task_id: str | None, session_id: str | None, message: MessageKey | None, tool_use_id: str | None
) -> None:
    if task_id is None and message is None:
        raise Invalid("An approval is for a task, or for a tool call in a message.", field="taskId")
    if (message is None) != (tool_use_id is None):
        missing = "messageId" if message is None else "toolUseId"
        raise Invalid("A tool call is named by messageId and toolUseId together.", field=missing)
    if message and session_id not in (None, message.session_id):
        raise Invalid("The message is in another session.", field="sessionId")


def _noun_and_field(message: MessageKey | None, session_id: str | None) -> tuple[str, str]:
    """Which object and which field a missing session is reported for."""
    if message:
        return "message", "messageId"
    return ("session", "sessionId") if session_id else ("task", "taskId")


async def _check_tool_call(tx: Tx, key: MessageKey, tool_use_id: str | None) -> None:
    message = await tx.one(db.message.ONE, session_id=key.session_id, sequence=key.sequence)
    if message is None:
        raise NotFound("There is no such message.", field="messageId")
    if not _has_tool_call(message, tool_use_id):
        raise NotFound("There is no such tool call in the message.", field="toolUseId")


async def _check_task(tx: Tx, session_id: str, waiting_task: TaskRow) -> None:
    """The task was created in this session or in none, or the session works on it."""
    if waiting_task.session_id in (None, session_id):
        return
    session = await tx.one(db.session.ONE, session_id=session_id)
    if session is None or session.task_id != waiting_task.id:
        raise Invalid("The task belongs to another session.", field="taskId")


def _has_tool_call(message: DocumentRow, tool_use_id: str | None) -> bool:
    """True if the message has this tool call, or may still get it because it is STREAMING."""
    blocks = orjson.loads(message.content or "[]")
    return message.status == "STREAMING" or any(
        block["kind"] == "tool_use" and block["tool_use_id"] == tool_use_id for block in blocks
    )
