"""Decisions on approvals, and the deciding itself."""

from collections.abc import Mapping
from typing import Any

import orjson
from uuid_utils.compat import uuid7

from app import db
from app.context import Context
from app.db.access.transaction import Tx
from app.db.reading.page import Slice, Window
from app.db.reading.rows import ApprovalRow, DocumentRow, TaskRow
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.resolvers import task, validation
from app.resolvers.session import next_number

CHECKS = {
    "tool_use_id": lambda value, field: validation.optional(value, field),
    "approver_role": lambda value, field: validation.optional(value, field),
    "notes": lambda value, field: validation.optional(value, field, longest=10_000, shortest=0),
}
NEW: dict[str, Any] = dict.fromkeys(CHECKS)
DECIDED = {"APPROVE": "APPROVED", "REJECT": "REJECTED", "CANCEL": "CANCELLED"}
TASK = ("task", "taskId")
Place = tuple[str, int]


async def request(
    ctx: Context, task_id: str | None, session_id: str | None, place: Place | None, fields: Mapping[str, Any]
) -> ApprovalRow:
    """A new approval for a task, for a tool call in a message, or both. Raises NotFound, and Invalid if they do not
    fit together."""
    values = NEW | validation.only(fields, CHECKS)
    _refuse_half_named(task_id, session_id, place, values["tool_use_id"])
    async with ctx.begin() as tx:
        asked = await task.one(tx, task_id, "taskId") if task_id else None
        home = place[0] if place else session_id or (asked.session_id if asked else None)
        what, field = ("message", "messageId") if place else ("session", "sessionId") if session_id else TASK
        number = await next_number(tx, home, what, field) or 1
        if home is not None:
            await _refuse_strangers(tx, home, asked, place, values["tool_use_id"])
        named = {"task_id": task_id, "session_id": home, "message_sequence": place[1] if place else None}
        row = await db.approval.create(tx, {"id": str(uuid7()), "revision": number, **named, **values})
        await db.audit.record(tx, "approval.requested", row)
    return row


async def decide(ctx: Context, approval_id: str, decision: str, notes: str | None) -> ApprovalRow:
    """The decided approval; notes take the place of the request's. Raises NotFound, Forbidden, and Conflict for all
    but the first decision."""
    notes = CHECKS["notes"](notes, "notes")
    async with ctx.begin() as tx:
        there = await _one(tx, approval_id)
        if there.approver_role is not None and there.approver_role not in ctx.viewer.roles:
            raise Forbidden(f"This takes the role {there.approver_role}, which the token does not name.", field="id")
        number = await next_number(tx, there.session_id, "approval")
        there = await _one(tx, approval_id, lock=True)
        if there.status != "PENDING":
            raise Conflict("This approval is already decided.", field="id")
        row = await tx.one(
            db.approval.DECIDE,
            approval_id=approval_id,
            new_status=DECIDED[decision],
            new_notes=notes,
            new_decided_by=ctx.viewer.subject,
            next_revision=number or there.revision + 1,
        )
        assert row is not None  # its row is locked
        await db.audit.record(tx, "approval.decided", row, role=row.approver_role, status=row.status)
    return row


async def page(ctx: Context, window: Window, filters: Mapping[str, Any]) -> Slice[ApprovalRow]:
    """One page of the viewer's approvals."""
    return await db.approval.page(ctx.db, ctx.viewer, window, filters)


async def _one(tx: Tx, approval_id: str, *, lock: bool = False) -> ApprovalRow:
    row = await tx.one(db.approval.FOR_UPDATE if lock else db.approval.ONE, approval_id=approval_id)
    if row is None:
        raise NotFound("There is no such approval.", field="id")
    return row


def _refuse_half_named(
    task_id: str | None, session_id: str | None, place: Place | None, tool_use_id: str | None
) -> None:
    if task_id is None and place is None:
        raise Invalid("An approval is for a task, or for a tool call in a message.", field="taskId")
    if (place is None) != (tool_use_id is None):
        missing = "messageId" if place is None else "toolUseId"
        raise Invalid("A tool call is named by messageId and toolUseId together.", field=missing)
    if place and session_id not in (None, place[0]):
        raise Invalid("The message is in another session.", field="sessionId")


async def _refuse_strangers(
    tx: Tx, home: str, asked: TaskRow | None, place: Place | None, tool_use_id: str | None
) -> None:
    """In the locked session: the message with the call, and a task that is its own, worked on in it, or of none."""
    if place:
        message = await tx.one(db.message.ONE, session_id=home, sequence=place[1])
        if message is None:
            raise NotFound("There is no such message.", field="messageId")
        if not _calls(message, tool_use_id):
            raise NotFound("There is no such tool call in the message.", field="toolUseId")
    if asked is None or asked.session_id in (None, home):
        return
    session = await tx.one(db.session.ONE, session_id=home)
    if session is None or session.task_id != asked.id:
        raise Invalid("The task belongs to another session.", field="taskId")


def _calls(message: DocumentRow, tool_use_id: str | None) -> bool:
    """Whether the message makes this tool call; one that is still being written may yet come to it."""
    blocks = orjson.loads(message.content or "[]")
    return message.status == "STREAMING" or any(
        block["kind"] == "tool_use" and block["tool_use_id"] == tool_use_id for block in blocks
    )
