"""Statements on tasks."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Text, and_, any_, bindparam, column, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.access.reads import Reads
from app.db.access.statement import OWNER, Statement, statement, variant
from app.db.access.transaction import Tx, Viewer
from app.db.reading.nested import Nested, parent_table
from app.db.reading.order import Order, direction, uuid_key
from app.db.reading.page import Count, Slice, Window
from app.db.reading.root import page_of_each, read_page
from app.db.reading.rows import TaskRow
from app.db.tables import tasks
from app.db.tables.columns import Uuid

t = tasks.c
HAS_ID = and_(t.owner_id == OWNER, t.id == bindparam("task_id"))
# Ids are UUIDv7: their order is the order of creation, and the primary key serves it.
CREATED = Order("created", "t", (uuid_key(t.id),))

BY_IDS = statement(
    "task.by_ids",
    "The tasks with these ids.",
    select(tasks).where(t.owner_id == OWNER, t.id == any_(bindparam("ids", type_=ARRAY(Uuid)))),
    TaskRow,
)
ONE = statement("task.one", "One task.", select(tasks).where(HAS_ID), TaskRow)
FOR_UPDATE = statement(
    "task.for_update", "One task, locked until the commit.", select(tasks).where(HAS_ID).with_for_update(), TaskRow
)
INSERT_COLUMNS = ("id", "session_id", "type", "from_role", "to_role", "payload", "trace_id", "revision")
CREATE = statement(
    "task.create",
    "Inserts a task.",
    insert(tasks)
    .values(owner_id=OWNER, **{name: bindparam(f"new_{name}", type_=t[name].type) for name in INSERT_COLUMNS})
    .returning(tasks),
    TaskRow,
)
SET_STATUS = statement(
    "task.set_status",
    "Sets the status of a task.",
    update(tasks)
    .where(HAS_ID)
    .values(
        status=bindparam("new_status", type_=Text),
        revision=bindparam("next_revision", type_=BigInteger),
        updated_at=func.now(),
    )
    .returning(tasks),
    TaskRow,
)

STATUS, TYPE = bindparam("status", type_=ARRAY(Text)), bindparam("type", type_=Text)
FROM_ROLE, TO_ROLE = bindparam("from_role", type_=Text), bindparam("to_role", type_=Text)
TRACE = bindparam("trace_id", type_=Text)
HAS_STATUS = or_(STATUS.is_(None), t.status == any_(STATUS))
STATUSES = func.unnest(STATUS).table_valued(column("status", Text), name="statuses").render_derived()
OTHER_FILTERS = and_(
    or_(TYPE.is_(None), t.type == TYPE),
    or_(FROM_ROLE.is_(None), t.from_role == FROM_ROLE),
    or_(TO_ROLE.is_(None), t.to_role == TO_ROLE),
    or_(TRACE.is_(None), t.trace_id == TRACE),
)
FILTER = and_(HAS_STATUS, OTHER_FILTERS)
MATCHING = and_(t.owner_id == OWNER, FILTER)
COUNT = statement(
    "task.count",
    "The number of tasks that match a filter.",
    select(func.count().label("total")).select_from(tasks).where(MATCHING),
    Count,
    custom_plan=True,
)

session = parent_table(session_id=Uuid)
OF_SESSIONS = Nested(
    "task.of_sessions",
    "The tasks of sessions that match a filter, in the order of their creation.",
    select(tasks).where(t.owner_id == OWNER, t.session_id.is_not(None), FILTER),
    TaskRow,
    CREATED,
    session,
    within=[(t.session_id, session.c.session_id)],
)


@cache
def _page(backward: bool, by_status: bool) -> Statement[TaskRow]:
    of_status = select(tasks).where(t.owner_id == OWNER, t.status == STATUSES.c.status, OTHER_FILTERS)
    return statement(
        variant("task.page", direction(backward), *(["by_status"] if by_status else [])),
        "A page of the owner's tasks that match a filter, in the order of their creation.",
        page_of_each(CREATED, of_status, STATUSES, backward)
        if by_status
        else CREATED.page(select(tasks).where(t.owner_id == OWNER, OTHER_FILTERS), backward),
        TaskRow,
        custom_plan=True,
    )


async def page(db: Reads, viewer: Viewer, window: Window, filters: Mapping[str, Any]) -> Slice[TaskRow]:
    """One page of the viewer's tasks in the order of their creation; a filter that is not set is None."""
    statuses = filters["status"]
    page, conditions = _page(window.backward, statuses is not None), dict(filters)
    if statuses is None:
        del conditions["status"]
    else:
        conditions["status"] = list(dict.fromkeys(statuses))
    return await read_page(db, viewer, page, COUNT, window, CREATED.bounds(window), conditions, filters)


async def create(tx: Tx, values: Mapping[str, Any]) -> TaskRow:
    """A new task of `INSERT_COLUMNS`. Its revision is the change number of its locked session, or 1 without one."""
    row = await tx.one(CREATE, **{f"new_{name}": values[name] for name in INSERT_COLUMNS})
    assert row is not None  # an INSERT either returns its row or raises
    return row
