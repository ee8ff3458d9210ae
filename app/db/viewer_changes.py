"""What has changed of an owner since a horizon: a transaction number below which all are over.

Transactions end in another order than they begin, so "newer than the newest I have seen" loses those that were
slower. A horizon does not: what is at or above it is read again, until it lies below.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.access.database import OWNER, Row, statement
from app.db.reading.rows import SessionRow
from app.db.tables import approvals, sessions, tasks
from app.db.tables.columns import Uuid, Xid8

LIMIT = bindparam("limit", type_=Integer)
# Erased ones too: whoever showed them wants to know.
SESSIONS = statement(
    select(sessions).where(sessions.c.owner_id == OWNER, sessions.c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))),
    SessionRow,
)


class HorizonRow(Row):
    """Where the cluster stands: its identity, the oldest transaction that may still be running, and the time."""

    epoch: int
    low_xid: int
    at: datetime


class TouchedRow(Row):
    """That a thing was changed by a transaction; the horizon alone (`kind` is None) where there is none."""

    low_xid: int
    xid: int
    kind: str | None
    id: str
    revision: int


def _xid(name: str) -> ColumnElement[Any]:
    """A transaction number travels as text."""
    return cast(bindparam(name, type_=Text), Xid8)


def _number(xid: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(cast(xid, Text), BigInteger)


_snapshot = func.pg_current_snapshot()
_control = func.pg_control_system().table_valued(column("system_identifier", BigInteger), name="control")
HORIZON = statement(
    select(
        _control.c.system_identifier.label("epoch"),
        _number(func.pg_snapshot_xmin(_snapshot)).label("low_xid"),
        func.now().label("at"),
    ),
    HorizonRow,
)

FROM, AFTER_KIND = _xid("after_xid"), bindparam("after_kind", type_=Text)
AFTER_ID = bindparam("after_id", type_=Uuid)


def _touched(kind: str, table: Table) -> Select[Any]:
    """The rows of one kind after a place in the order (transaction, kind, id).

    A number at or above the snapshot's end is of another cluster, from before the data was moved to this one.
    """
    c, name = table.c, literal(kind, Text)
    later = or_(c.changed_xid > FROM, name > AFTER_KIND, and_(name == AFTER_KIND, c.id > AFTER_ID))
    return (
        select(c.changed_xid.label("xid"), name.label("kind"), c.id, c.revision)
        .where(c.owner_id == OWNER, c.changed_xid >= FROM, later, c.changed_xid < func.pg_snapshot_xmax(_snapshot))
        .order_by(c.changed_xid, c.id)
        .limit(LIMIT)
    )


_all = union_all(_touched("approval", approvals), _touched("session", sessions), _touched("task", tasks))
_each = _all.subquery("each").c
_order = (_each.xid, _each.kind, _each.id)
_page = select(*_order, _each.revision).order_by(*_order).limit(LIMIT).subquery("touched")
_bounds = select(_number(func.pg_snapshot_xmin(_snapshot)).label("low_xid")).subquery("bounds")
TOUCHED = statement(
    select(_bounds.c.low_xid, _number(_page.c.xid).label("xid"), _page.c.kind, _page.c.id, _page.c.revision)
    .select_from(_bounds.outerjoin(_page, true()))
    .order_by(_page.c.xid, _page.c.kind, _page.c.id),
    TouchedRow,
)
