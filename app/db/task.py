"""Statements on tasks."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Text, and_, any_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.access.database import OWNER, Database, Statement, Tx, Viewer, statement
from app.db.reading.page import Count, Nested, Order, Slice, Window, identity, parent_table, read
from app.db.reading.rows import TaskRow
from app.db.tables import tasks
from app.db.tables.columns import Uuid

t = tasks.c
THIS = and_(t.owner_id == OWNER, t.id == bindparam("task_id"))
# Ids are UUIDv7, so their order is the order of creation and the primary key serves it.
CREATED = Order("t", (identity(t.id),))

BY_IDS = statement(select(tasks).where(t.owner_id == OWNER, t.id == any_(bindparam("ids", type_=ARRAY(Uuid)))), TaskRow)
ONE = statement(select(tasks).where(THIS), TaskRow)
FOR_UPDATE = statement(select(tasks).where(THIS).with_for_update(), TaskRow)
NAMES = ("id", "session_id", "type", "from_role", "to_role", "payload", "trace_id", "revision")
CREATE = statement(
    insert(tasks)
    .values(owner_id=OWNER, **{name: bindparam(f"new_{name}", type_=t[name].type) for name in NAMES})
    .returning(tasks),
    TaskRow,
)
SET_STATUS = statement(
    update(tasks)
    .where(THIS)
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
WANTED = and_(
    or_(STATUS.is_(None), t.status == any_(STATUS)),
    or_(TYPE.is_(None), t.type == TYPE),
    or_(FROM_ROLE.is_(None), t.from_role == FROM_ROLE),
    or_(TO_ROLE.is_(None), t.to_role == TO_ROLE),
    or_(TRACE.is_(None), t.trace_id == TRACE),
)
MATCHING = and_(t.owner_id == OWNER, WANTED)
COUNT = statement(select(func.count().label("total")).select_from(tasks).where(MATCHING), Count, custom_plan=True)

session = parent_table(session_id=Uuid)
OF_SESSIONS = Nested(
    select(tasks).where(t.owner_id == OWNER, t.session_id == session.c.session_id, WANTED), TaskRow, CREATED, session
)


@cache
def _page(backward: bool) -> Statement[TaskRow]:
    return statement(CREATED.page(select(tasks).where(MATCHING), backward), TaskRow, custom_plan=True)


async def page(db: Database, viewer: Viewer, window: Window, filters: Mapping[str, Any]) -> Slice[TaskRow]:
    """One page of the viewer's tasks as they were created; filters not given are None."""
    return await read(db, viewer, _page(window.backward), COUNT, window, CREATED, filters)


async def create(tx: Tx, values: Mapping[str, Any]) -> TaskRow:
    """A new task of `NAMES`, under the number of its locked session or under 1."""
    row = await tx.one(CREATE, **{f"new_{name}": values[name] for name in NAMES})
    assert row is not None  # an INSERT either returns its row or raises
    return row
