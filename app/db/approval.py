"""Statements on approvals."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, and_, any_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.access.database import OWNER, Database, Statement, Tx, Viewer, statement
from app.db.reading.page import Count, Nested, Order, Slice, Window, identity, parent_table, read
from app.db.reading.rows import ApprovalRow
from app.db.tables import approvals
from app.db.tables.columns import Uuid

p = approvals.c
THIS = and_(p.owner_id == OWNER, p.id == bindparam("approval_id"))
CREATED = Order("p", (identity(p.id),))

BY_IDS = statement(
    select(approvals).where(p.owner_id == OWNER, p.id == any_(bindparam("ids", type_=ARRAY(Uuid)))), ApprovalRow
)
ONE = statement(select(approvals).where(THIS), ApprovalRow)
FOR_UPDATE = statement(select(approvals).where(THIS).with_for_update(), ApprovalRow)
NAMES = ("id", "session_id", "task_id", "message_sequence", "tool_use_id", "approver_role", "notes", "revision")
CREATE = statement(
    insert(approvals)
    .values(owner_id=OWNER, **{name: bindparam(f"new_{name}", type_=p[name].type) for name in NAMES})
    .returning(approvals),
    ApprovalRow,
)
DECIDE = statement(
    update(approvals)
    .where(THIS)
    .values(
        status=bindparam("new_status", type_=Text),
        notes=func.coalesce(bindparam("new_notes", type_=Text), p.notes),
        decided_by=bindparam("new_decided_by", type_=Text),
        decided_at=func.now(),
        revision=bindparam("next_revision", type_=BigInteger),
    )
    .returning(approvals),
    ApprovalRow,
)

STATUS, ROLE = bindparam("status", type_=ARRAY(Text)), bindparam("approver_role", type_=Text)
WANTED = and_(or_(STATUS.is_(None), p.status == any_(STATUS)), or_(ROLE.is_(None), p.approver_role == ROLE))
MATCHING = and_(p.owner_id == OWNER, WANTED)
COUNT = statement(select(func.count().label("total")).select_from(approvals).where(MATCHING), Count, custom_plan=True)

session = parent_table(session_id=Uuid)
OF_SESSIONS = Nested(
    select(approvals).where(p.owner_id == OWNER, p.session_id == session.c.session_id, WANTED),
    ApprovalRow,
    CREATED,
    session,
)
message = parent_table(session_id=Uuid, sequence=Integer())
OF_MESSAGES = Nested(
    select(approvals).where(
        p.owner_id == OWNER,
        p.session_id == message.c.session_id,
        p.message_sequence == message.c.sequence,
    ),
    ApprovalRow,
    CREATED,
    message,
)
task = parent_table(task_id=Uuid)
OF_TASKS = Nested(select(approvals).where(p.owner_id == OWNER, p.task_id == task.c.task_id), ApprovalRow, CREATED, task)


@cache
def _page(backward: bool) -> Statement[ApprovalRow]:
    return statement(CREATED.page(select(approvals).where(MATCHING), backward), ApprovalRow, custom_plan=True)


async def page(db: Database, viewer: Viewer, window: Window, filters: Mapping[str, Any]) -> Slice[ApprovalRow]:
    """One page of the viewer's approvals as they were requested; filters not given are None."""
    return await read(db, viewer, _page(window.backward), COUNT, window, CREATED, filters)


async def create(tx: Tx, values: Mapping[str, Any]) -> ApprovalRow:
    """A new approval of `NAMES`, under the number of its locked session or under 1."""
    row = await tx.one(CREATE, **{f"new_{name}": values[name] for name in NAMES})
    assert row is not None  # an INSERT either returns its row or raises
    return row
