"""The changes of an owner since a horizon: a transaction id below which all transactions have ended.

Transactions commit in another order than they begin, so "newer than the newest that was read" would lose the changes
of slower transactions. A horizon loses none: a reader reads what is at or above the horizon again, until the horizon
has passed it.
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

from app.db.access.routed import Step
from app.db.access.statement import OWNER, Row, statement
from app.db.reading.rows import SessionRow
from app.db.tables import approvals, count_positions, records, sessions, tasks
from app.db.tables.columns import BytewiseText, Uuid, Xid8

LIMIT = bindparam("limit", type_=Integer)
SESSIONS = statement(
    "viewer_changes.sessions",
    "The sessions with these ids, erased ones too: their removal is a change.",
    select(sessions).where(sessions.c.owner_id == OWNER, sessions.c.id == any_(bindparam("ids", type_=ARRAY(Uuid)))),
    SessionRow,
)


class HorizonRow(Row):
    """The identity of the cluster and its timeline, the oldest transaction that may still be running, and the time.

    On Citus the cluster is the owner's node, and `timeline` is `epoch`: a shard that moves counts other transactions.
    """

    cluster: int
    epoch: int
    timeline: int
    low_xid: int
    at: datetime


class ViewerChangeRow(Row):
    """A row that a transaction changed, timeline and horizon; without a change these two alone, and `kind` is None."""

    timeline: int
    low_xid: int
    xid: int
    kind: str | None
    id: str
    revision: int


def xid_parameter(name: str) -> ColumnElement[Any]:
    """A transaction id as a parameter; it is transported as text."""
    return cast(bindparam(name, type_=Text), Xid8)


def number_of_xid(xid: ColumnElement[Any]) -> ColumnElement[int]:
    """A transaction id as a number."""
    return cast(cast(xid, Text), BigInteger)


_snapshot = func.pg_current_snapshot()
CONTROL = func.pg_control_system().table_valued(column("system_identifier", BigInteger), name="control")
# A promoted standby gives the numbers of transactions that it lacked to others (migration 0015).
_timeline = func.colloquy_timeline(type_=Integer)
_epoch = CONTROL.c.system_identifier + _timeline
_low_xid = number_of_xid(func.pg_snapshot_xmin(_snapshot)).label("low_xid")
HORIZON = statement(
    "viewer_changes.horizon",
    "The current horizon.",
    select(
        CONTROL.c.system_identifier.label("cluster"),
        _epoch.label("epoch"),
        _timeline.label("timeline"),
        _low_xid,
        func.now().label("at"),
    ),
    HorizonRow,
)
_position = select(func.count().label("rows")).where(count_positions.c.owner_id == OWNER)
AT_OWNER = _position.subquery("at_owner")
"""One row that only the owner's node has: a statement with it runs there, and not on the coordinator."""
HORIZON.routed = (
    Step(
        statement(
            "viewer_changes.horizon[routed]",
            "The current horizon on the owner's node.",
            select(
                CONTROL.c.system_identifier.label("cluster"),
                _epoch.label("epoch"),
                _epoch.label("timeline"),
                _low_xid,
                func.now().label("at"),
            ).select_from(CONTROL.join(AT_OWNER, true())),
            HorizonRow,
        )
    ),
)

AFTER_XID, AFTER_KIND = xid_parameter("after_xid"), bindparam("after_kind", type_=Text)
AFTER_ID, AFTER_PATH = bindparam("after_id", type_=Uuid), bindparam("after_path", type_=BytewiseText)


def _changed(
    kind: str, table: Table, key: ColumnElement[Any], after: ColumnElement[Any], id: ColumnElement[str]
) -> Select[Any]:
    """The rows of one kind after a position in the order (transaction, kind, key); `id` is the key as text.

    A transaction id at or above the snapshot's end is that of another cluster, from which the data was moved.
    """
    c, name = table.c, literal(kind, Text)
    later = or_(c.changed_xid > AFTER_XID, name > AFTER_KIND, and_(name == AFTER_KIND, key > after))
    return (
        select(c.changed_xid.label("xid"), name.label("kind"), id.label("id"), c.revision)
        .where(c.owner_id == OWNER, c.changed_xid >= AFTER_XID, later, c.changed_xid < func.pg_snapshot_xmax(_snapshot))
        .order_by(c.changed_xid, key)
        .limit(LIMIT)
    )


def _with_id(kind: str, table: Table) -> Select[Any]:
    # The text of UUIDs, compared by bytes, has the order of the UUIDs.
    return _changed(kind, table, table.c.id, AFTER_ID, cast(table.c.id, Text).collate("C"))


_all = union_all(
    _with_id("approval", approvals),
    _changed("record", records, records.c.path, AFTER_PATH, records.c.path),
    _with_id("session", sessions),
    _with_id("task", tasks),
)
_each = _all.subquery("each").c
_order = (_each.xid, _each.kind, _each.id)
_page = select(*_order, _each.revision).order_by(*_order).limit(LIMIT).subquery("page")


def _beside_changes(timeline: ColumnElement[int]) -> Select[Any]:
    horizon = select(timeline.label("timeline"), _low_xid).subquery("horizon")
    return (
        select(*horizon.c, number_of_xid(_page.c.xid).label("xid"), _page.c.kind, _page.c.id, _page.c.revision)
        .select_from(horizon.outerjoin(_page, true()))
        .order_by(_page.c.xid, _page.c.kind, _page.c.id)
    )


CHANGES = statement(
    "viewer_changes.after",
    "What has changed of an owner after a position, the timeline and the horizon.",
    _beside_changes(_timeline),
    ViewerChangeRow,
)
# Only here, because the control file costs as much as the rest of the statement.
CHANGES.routed = (
    Step(
        statement(
            "viewer_changes.after[routed]",
            "What has changed of an owner after a position, the epoch and the horizon.",
            _beside_changes(_epoch),
            ViewerChangeRow,
        )
    ),
)
