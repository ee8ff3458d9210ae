"""The totals of an owner's sessions by agent type: exact, and read from the sessions that have changed since a count.

No write keeps a total: all writes of an owner would queue for its row. A reader adds the sessions that have changed
since the position of the count, and subtracts what the totals contain of them. When these sessions are many, the reader
counts them, and moves the position forward; so does a writer that has read them for the cap, after its commit. The
position is a transaction below which all transactions have ended, as in `viewer_changes`: a change that the count did
not see is above the position.

The row of the position is the lock of the count, and the last lock that a transaction takes.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from app.db import viewer_changes
from app.db.access.database import Database
from app.db.access.reads import Reads
from app.db.access.statement import OWNER, Row, Statement, statement
from app.db.access.transaction import Tx, Viewer
from app.db.reading.nested import parent_arrays, parent_table
from app.db.tables import count_positions, counted_sessions, session_totals, sessions
from app.db.tables.columns import Uuid, Xid8
from app.db.viewer_changes import CONTROL, number_of_xid, xid_parameter
from app.structured_log import get_logger

s, c, t, p = sessions.c, counted_sessions.c, session_totals.c, count_positions.c
log = get_logger("colloquy.totals")
MANY_CHANGED = 200
"""From how many changed sessions on a reader counts them."""
BATCH_SIZE = 2_000
MAX_BATCHES = 10
FIGURES = ("active", "archived", "unread", "messages")
NONE = literal(0, Integer)
START = ("0", "00000000-0000-0000-0000-000000000000")


class Totals(Row):
    """The totals of the sessions of one agent type (empty: of those without one), which are not deleted.

    `changed`: how many sessions of the type had to be read for them, of those that a count can take over.
    """

    agent_type: str
    changed: int
    sessions: int
    active: int
    archived: int
    unread: int
    messages: int


class PositionRow(Row):
    """The position of the count."""

    epoch: int
    xid: int
    id: str


class ChangedRow(Row):
    """One changed session: its figures now, and those in the totals (`was_agent_type`: None if it is not in them)."""

    id: str
    xid: int
    is_deleted: bool
    agent_type: str
    active: int
    archived: int
    unread: int
    messages: int
    was_agent_type: str | None
    was_active: int
    was_archived: int
    was_unread: int
    was_messages: int


def one_if(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    """1 for a session that fulfils the conditions and is not deleted, 0 for others."""
    return case((and_(s.deleted_at.is_(None), *conditions), 1), else_=0)


NOW = {
    "active": one_if(or_(s.status == "PENDING", s.status == "ACTIVE"), s.archived_at.is_(None)),
    "archived": one_if(s.archived_at.is_not(None)),
    "unread": one_if(s.unread_count > 0, s.archived_at.is_(None)),
    "messages": case((s.deleted_at.is_(None), s.message_count), else_=0),
}
AGENT_TYPE = func.coalesce(s.agent_type, literal("", Text))
_counted_up_to = select(p.xid).where(p.owner_id == OWNER, p.epoch == CONTROL.c.system_identifier).scalar_subquery()
CHANGED_SINCE = and_(
    s.owner_id == OWNER, s.changed_xid >= func.coalesce(_counted_up_to, cast(literal(START[0], Text), Xid8))
)
"""The sessions that may have changed since the count."""
_counted = (
    select(counted_sessions)
    .where(c.owner_id == OWNER, c.session_id == s.id)
    .limit(1)
    .correlate(sessions)
    .lateral("counted")
)


def _part(agent_type: Any, changed: Any, number: Any, *figures: Any) -> Select[Any]:
    labelled = (figure.label(name) for name, figure in zip(FIGURES, figures, strict=True))
    return select(agent_type.label("agent_type"), changed.label("changed"), number.label("sessions"), *labelled)


ENDED = s.changed_xid < func.pg_snapshot_xmin(func.pg_current_snapshot())
"""The sessions whose last change a count can take over: no transaction before it is still open."""
_parts = union_all(
    _part(t.agent_type, NONE, t.sessions, t.active, t.archived, t.unread, t.messages).where(t.owner_id == OWNER),
    _part(AGENT_TYPE, case((ENDED, 1), else_=0), one_if(), *NOW.values()).where(CHANGED_SINCE),
    _part(_counted.c.agent_type, NONE, literal(-1, Integer), *(-_counted.c[name] for name in FIGURES))
    .select_from(sessions.join(_counted, true()))
    .where(CHANGED_SINCE),
).subquery("parts")
_many_changed = (
    select(s.id).where(CHANGED_SINCE, ENDED).order_by(s.changed_xid, s.id).limit(literal(MANY_CHANGED + 1, Integer))
)
CHANGED_COUNT = select(func.count()).select_from(_many_changed.subquery("many_changed")).scalar_subquery()
"""How many sessions a count can take over, counted up to one more than `MANY_CHANGED`."""
READ = statement(
    "session_totals.read",
    "The totals of the owner's sessions by agent type.",
    select(
        _parts.c.agent_type,
        *(cast(func.sum(_parts.c[name]), BigInteger).label(name) for name in ("changed", "sessions", *FIGURES)),
    ).group_by(_parts.c.agent_type),
    Totals,
)

_first = insert(count_positions).values(
    owner_id=OWNER, epoch=literal(0, BigInteger), xid=cast(literal(START[0], Text), Xid8), id=literal(START[1], Uuid)
)
LOCK = statement(
    "session_totals.lock",
    "The position of the count, locked until the commit; the first position if there is none.",
    _first.on_conflict_do_update(index_elements=["owner_id"], set_={"epoch": p.epoch}).returning(
        p.epoch, number_of_xid(p.xid).label("xid"), p.id
    ),
    PositionRow,
)
LOCK_EXISTING: Statement[Row] = statement(
    "session_totals.lock_existing",
    "Locks the position of the count until the commit, if there is one.",
    select(p.epoch).where(p.owner_id == OWNER).with_for_update(),
)
_after = xid_parameter("after_xid"), bindparam("after_id", type_=Uuid)
CHANGED = statement(
    "session_totals.changed",
    "The sessions that changed after a position, by transactions that have ended.",
    select(
        *(s.id, number_of_xid(s.changed_xid).label("xid"), s.deleted_at.is_not(None).label("is_deleted")),
        *(AGENT_TYPE.label("agent_type"), *(figure.label(name) for name, figure in NOW.items())),
        *(_counted.c[name].label(f"was_{name}") for name in ("agent_type", *FIGURES)),
    )
    .select_from(sessions.outerjoin(_counted, true()))
    .where(
        s.owner_id == OWNER,
        s.changed_xid >= _after[0],
        tuple_(s.changed_xid, s.id) > tuple_(*_after),
        ENDED,
    )
    .order_by(s.changed_xid, s.id)
    .limit(bindparam("limit", type_=Integer)),
    ChangedRow,
)
_new = parent_table(
    session_id=Uuid, agent_type=Text, active=Integer, archived=Integer, unread=Integer, messages=Integer
)
_insert = insert(counted_sessions).from_select(
    ["owner_id", "session_id", "agent_type", *FIGURES],
    select(OWNER, _new.c.session_id, _new.c.agent_type, *(_new.c[name] for name in FIGURES)),
    include_defaults=False,
)
COUNT: Statement[Row] = statement(
    "session_totals.count",
    "Stores what the totals contain of sessions.",
    _insert.on_conflict_do_update(
        index_elements=["owner_id", "session_id"],
        set_={name: _insert.excluded[name] for name in ("agent_type", *FIGURES)},
    ),
)
FORGET: Statement[Row] = statement(
    "session_totals.forget",
    "Deletes what the totals contain of sessions.",
    delete(counted_sessions)
    .where(c.owner_id == OWNER, c.session_id == any_(bindparam("session_ids", type_=ARRAY(Uuid))))
    .returning(c.agent_type, *(c[name] for name in FIGURES)),
    custom_plan=True,  # before PostgreSQL 17 a plan for any number of sessions reads all of the owner's
)
_sums = parent_table(type=Text, sessions=Integer, active=Integer, archived=Integer, unread=Integer, messages=BigInteger)
_add = insert(session_totals).from_select(
    ["owner_id", "agent_type", "sessions", *FIGURES],
    select(OWNER, *(_sums.c[name] for name in ("type", "sessions", *FIGURES))),
    include_defaults=False,
)
ADD: Statement[Row] = statement(
    "session_totals.add",
    "Adds to the totals of agent types.",
    _add.on_conflict_do_update(
        index_elements=["owner_id", "agent_type"],
        set_={name: t[name] + _add.excluded[name] for name in ("sessions", *FIGURES)},
    ),
)
MOVE: Statement[Row] = statement(
    "session_totals.move",
    "Moves the position of the count.",
    update(count_positions)
    .where(p.owner_id == OWNER)
    .values(
        epoch=bindparam("new_epoch", type_=BigInteger),
        xid=xid_parameter("new_xid"),
        id=bindparam("new_id", type_=Uuid),
    ),
)


async def read(db: Reads, viewer: Viewer) -> list[Totals]:
    """The totals of the owner's sessions, a row for each agent type that has any."""
    rows = await db.fetch(viewer, READ)
    if sum(row.changed for row in rows) > MANY_CHANGED:
        await count_changed(db.primary, viewer, MAX_BATCHES)
    return [row for row in rows if row.sessions]


async def listed(db: Reads, viewer: Viewer) -> int:
    """The number of sessions that are neither archived nor deleted."""
    return sum(row.sessions - row.archived for row in await read(db, viewer))


async def archived(db: Reads, viewer: Viewer) -> int:
    """The number of archived sessions that are not deleted."""
    return sum(row.archived for row in await read(db, viewer))


async def count(tx: Tx) -> bool:
    """Adds the oldest changes since the position to the totals; True if there may be more of them."""
    position, horizon = await tx.one(LOCK), await tx.one(viewer_changes.HORIZON)
    assert position is not None
    assert horizon is not None
    cluster = (
        horizon.cluster
    )  # without the timeline: a promoted standby has the position with the rows that were counted
    xid, id_ = (str(position.xid), position.id) if position.epoch == cluster else START
    rows = await tx.fetch(CHANGED, after_xid=xid, after_id=id_, limit=BATCH_SIZE)
    counted = [(row.id, row.agent_type, *(row[name] for name in FIGURES)) for row in rows if not row.is_deleted]
    await tx.fetch(COUNT, **parent_arrays(("session_id", "agent_type", *FIGURES), counted))
    await tx.fetch(FORGET, session_ids=[row.id for row in rows if row.is_deleted])
    before = ((-1, row.was_agent_type, [row[f"was_{name}"] for name in FIGURES]) for row in rows)
    now = ((1, agent_type, figures) for _, agent_type, *figures in counted)
    await _add_figures(tx, [*(part for part in before if part[1] is not None), *now])
    more = len(rows) == BATCH_SIZE
    xid, id_ = (str(rows[-1].xid), rows[-1].id) if more else (str(horizon.low_xid), START[1])
    await tx.fetch(MOVE, new_epoch=cluster, new_xid=xid, new_id=id_)
    return more


async def forget(tx: Tx, session_id: str) -> None:
    """Takes a session that is erased out of the totals."""
    if await tx.one(LOCK_EXISTING) is None:
        return
    rows = await tx.fetch(FORGET, session_ids=[session_id])
    await _add_figures(tx, [(-1, row["agent_type"], [row[name] for name in FIGURES]) for row in rows])


async def _add_figures(tx: Tx, parts: Iterable[tuple[int, Any, list[int]]]) -> None:
    """Adds figures of sessions, each with its sign and its agent type."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0] * (1 + len(FIGURES)))
    for sign, agent_type, figures in parts:
        sums[agent_type] = [
            total + sign * figure for total, figure in zip(sums[agent_type], (1, *figures), strict=True)
        ]
    added = [(agent_type, *figures) for agent_type, figures in sums.items() if any(figures)]
    await tx.fetch(ADD, **parent_arrays(("type", "sessions", *FIGURES), added))


async def count_changed(db: Database, viewer: Viewer, batches: int = 1) -> None:
    """Counts changed sessions in small transactions. A failure is logged only: the caller has its answer."""
    queue = db.session_queue(viewer, "")
    if queue.locked():
        return
    async with queue:
        try:
            for _ in range(batches):
                async with db.begin(viewer) as tx:
                    more = await count(tx)
                if not more:
                    return
        except Exception as error:
            log.warning("totals.count_failed", reason=str(error))
