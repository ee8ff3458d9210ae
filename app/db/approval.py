"""Statements on approvals."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    column,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.access.reads import Reads
from app.db.access.statement import OWNER, Statement, statement, variant
from app.db.access.transaction import Tx, Viewer
from app.db.reading.nested import Nested, parent_table
from app.db.reading.order import Order, direction, uuid_key
from app.db.reading.page import Count, Slice, Window
from app.db.reading.root import page_of_each, read_page
from app.db.reading.rows import ApprovalRow
from app.db.tables import approvals
from app.db.tables.columns import Uuid

p = approvals.c
HAS_ID = and_(p.owner_id == OWNER, p.id == bindparam("approval_id"))
CREATED = Order("created", "p", (uuid_key(p.id),))

BY_IDS = statement(
    "approval.by_ids",
    "The approvals with these ids.",
    select(approvals).where(p.owner_id == OWNER, p.id == any_(bindparam("ids", type_=ARRAY(Uuid)))),
    ApprovalRow,
)
ONE = statement("approval.one", "One approval.", select(approvals).where(HAS_ID), ApprovalRow)
FOR_UPDATE = statement(
    "approval.for_update",
    "One approval, locked until the commit.",
    select(approvals).where(HAS_ID).with_for_update(),
    ApprovalRow,
)
INSERT_COLUMNS = (
    *("id", "session_id", "task_id", "message_sequence", "tool_use_id"),
    *("approver_role", "notes", "revision"),
)
CREATE = statement(
    "approval.create",
    "Inserts an approval.",
    insert(approvals)
    .values(owner_id=OWNER, **{name: bindparam(f"new_{name}", type_=p[name].type) for name in INSERT_COLUMNS})
    .returning(approvals),
    ApprovalRow,
)
DECIDE = statement(
    "approval.decide",
    "Stores the decision on an approval.",
    update(approvals)
    .where(HAS_ID)
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
HAS_STATUS = or_(STATUS.is_(None), p.status == any_(STATUS))
STATUSES = func.unnest(STATUS).table_valued(column("status", Text), name="statuses").render_derived()
HAS_ROLE = or_(ROLE.is_(None), p.approver_role == ROLE)
FILTER = and_(HAS_STATUS, HAS_ROLE)
MATCHING = and_(p.owner_id == OWNER, FILTER)
COUNT = statement(
    "approval.count",
    "The number of approvals that match a filter.",
    select(func.count().label("total")).select_from(approvals).where(MATCHING),
    Count,
    custom_plan=True,
)

session = parent_table(session_id=Uuid)
OF_SESSIONS = Nested(
    "approval.of_sessions",
    "The approvals of sessions that match a filter, in the order of the requests.",
    select(approvals).where(p.owner_id == OWNER, p.session_id.is_not(None), FILTER),
    ApprovalRow,
    CREATED,
    session,
    within=[(p.session_id, session.c.session_id)],
)
# The first condition is that of an index: few approvals are PENDING.
PENDING_OF_SESSIONS = Nested(
    "approval.pending_of_sessions",
    "The approvals of sessions that are PENDING and match a filter, in the order of the requests.",
    select(approvals).where(
        p.status == literal_column("'PENDING'", Text), p.owner_id == OWNER, p.session_id.is_not(None), FILTER
    ),
    ApprovalRow,
    CREATED,
    session,
    within=[(p.session_id, session.c.session_id)],
)
message = parent_table(session_id=Uuid, sequence=Integer())
OF_MESSAGES = Nested(
    "approval.of_messages",
    "The approvals of tool calls in messages, in the order of the requests.",
    select(approvals).where(p.owner_id == OWNER, p.session_id == message.c.session_id),
    ApprovalRow,
    CREATED,
    message,
    within=[(p.message_sequence, message.c.sequence)],
)
task = parent_table(task_id=Uuid)
OF_TASKS = Nested(
    "approval.of_tasks",
    "The approvals of tasks, in the order of the requests.",
    select(approvals).where(p.owner_id == OWNER, p.task_id.is_not(None)),
    ApprovalRow,
    CREATED,
    task,
    within=[(p.task_id, task.c.task_id)],
)


@cache
def _page(backward: bool, by_status: bool) -> Statement[ApprovalRow]:
    of_status = select(approvals).where(p.owner_id == OWNER, p.status == STATUSES.c.status, HAS_ROLE)
    return statement(
        variant("approval.page", direction(backward), *(["by_status"] if by_status else [])),
        "A page of the owner's approvals that match a filter, in the order of the requests.",
        page_of_each(CREATED, of_status, STATUSES, backward)
        if by_status
        else CREATED.page(select(approvals).where(p.owner_id == OWNER, HAS_ROLE), backward),
        ApprovalRow,
        custom_plan=True,
    )


def of_sessions(status: Sequence[str] | None) -> Nested[ApprovalRow]:
    """The approvals of sessions, from the index that suits this filter."""
    return PENDING_OF_SESSIONS if status is not None and set(status) == {"PENDING"} else OF_SESSIONS


async def page(db: Reads, viewer: Viewer, window: Window, filters: Mapping[str, Any]) -> Slice[ApprovalRow]:
    """One page of the viewer's approvals in the order of the requests; a filter that is not set is None."""
    statuses = filters["status"]
    page, conditions = _page(window.backward, statuses is not None), dict(filters)
    if statuses is None:
        del conditions["status"]
    else:
        conditions["status"] = list(dict.fromkeys(statuses))
    return await read_page(db, viewer, page, COUNT, window, CREATED.bounds(window), conditions, filters)


async def create(tx: Tx, values: Mapping[str, Any]) -> ApprovalRow:
    """A new approval of `INSERT_COLUMNS`. Its revision is the change number of its locked session, or 1 without one."""
    row = await tx.one(CREATE, **{f"new_{name}": values[name] for name in INSERT_COLUMNS})
    assert row is not None  # an INSERT either returns its row or raises
    return row
