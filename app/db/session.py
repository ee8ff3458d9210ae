"""Statements on sessions. `session_cap` limits the active ones, `session_erasure` deletes what is in one."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Float,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON

from app.db import session_totals
from app.db.access.reads import Reads
from app.db.access.statement import OWNER, Statement, statement, variant
from app.db.access.transaction import Tx, Viewer
from app.db.reading.joined import AGENTS_BY_IDS, IS_LINKED, JOINED_COLUMNS, writer_of
from app.db.reading.matching import contains
from app.db.reading.nested import Nested, parent_table
from app.db.reading.order import Order, direction, time_key, uuid_key
from app.db.reading.page import Count, Slice, Window
from app.db.reading.partial_rows import SESSION
from app.db.reading.root import page_of_each, read_page
from app.db.reading.rows import PartialMessage, SessionRow
from app.db.tables import agents, messages, session_agents, sessions
from app.db.tables.columns import Uuid, as_client_text
from app.db.tables.session import INDEXED_STATUSES

s, m, g = sessions.c, messages.c, session_agents.c

HAS_ID = and_(s.owner_id == OWNER, s.id == bindparam("session_id"))
NOT_DELETED = and_(HAS_ID, s.deleted_at.is_(None))
_started = func.date_part("epoch", func.pg_postmaster_start_time(), type_=Float)
# Below zero on a standby: one that is promoted goes on without another start.
_signed = case((func.pg_is_in_recovery(type_=Boolean), -_started), else_=_started)
# What queries read, for the session cache; a subquery, since it is evaluated once and not for every row.
SESSIONS = select(sessions, select(_signed).scalar_subquery().label("postgres_started"))
NEXT_REVISION = {"head": s.head + 1, "revision": s.head + 1, "updated_at": func.now()}

ACTIVITY = (time_key(s.last_activity_at), uuid_key(s.id))
# Ids are UUIDv7: their order is the order of creation, and the primary key serves it.
CREATED = (uuid_key(s.id),)
ORDERS = {
    (field, ending): Order(f"{field}_{ending}".lower(), tag, keys, descending=ending == "DESC")
    for field, tag, keys in (("LAST_ACTIVITY", "a", ACTIVITY), ("CREATED_AT", "c", CREATED))
    for ending in ("ASC", "DESC")
}

BY_IDS = statement(
    "session.by_ids",
    "The sessions with these ids, archived and deleted ones too.",
    SESSIONS.where(s.owner_id == OWNER, s.id == any_(bindparam("ids", type_=ARRAY(Uuid))), s.erased_at.is_(None)),
    SessionRow,
    SESSION,
)
MAX_AGENTS = 8
"""How many agents come with a session at most. Others are read by key: few sessions have more."""
_agent = (
    select(g.key, g.agent_id, *JOINED_COLUMNS)
    .select_from(session_agents.outerjoin(agents, IS_LINKED))
    .where(g.owner_id == OWNER, g.session_id == s.id, g.kind == literal("AGENT", Text))
    .order_by(g.key)
    .limit(literal(MAX_AGENTS, Integer))
    .correlate(sessions)
    .subquery("agent")
)
_agents = select(func.json_agg(func.json_build_array(*_agent.c, type_=JSON), type_=JSON)).scalar_subquery()
WITH_AGENTS = statement(
    variant("session.by_ids", "with_agents"),
    "The sessions with these ids, each with the first of its agents, and theirs in the catalogue.",
    BY_IDS.partial.element.add_columns(_agents.label("agents")),
    SessionRow,
)
BY_KEYS = statement(
    "session.by_keys",
    "The sessions with these client keys.",
    SESSIONS.where(s.owner_id == OWNER, s.key == any_(bindparam("keys", type_=ARRAY(Text)))),
    SessionRow,
)
ONE = statement("session.one", "One session, a deleted or erased one too.", select(sessions).where(HAS_ID), SessionRow)
FOR_UPDATE = statement(
    "session.for_update",
    "One session, a deleted one too, locked until the commit.",
    select(sessions).where(HAS_ID, s.erased_at.is_(None)).with_for_update(),
    SessionRow,
)
LOCK = statement(
    "session.lock",
    "Locks a session until the commit, and takes its next change number.",
    update(sessions).where(NOT_DELETED).values(head=s.head + 1).returning(sessions),
    SessionRow,
)
INSERT_COLUMNS = (
    *("id", "key", "title", "status", "role", "task_id", "agent_type"),
    *("metadata", "expires_at", "client_created_at"),
)
CREATE = statement(
    "session.create",
    "Inserts a session.",
    insert(sessions)
    .values(owner_id=OWNER, **{name: bindparam(name) for name in INSERT_COLUMNS}, head=1, revision=1)
    .returning(sessions),
    SessionRow,
)
ARCHIVE = statement(
    "session.archive",
    "Archives a session.",
    update(sessions)
    .where(NOT_DELETED, s.archived_at.is_(None))
    .values(archived_at=func.now(), **NEXT_REVISION)
    .returning(sessions),
    SessionRow,
)
RESTORE = statement(
    "session.restore",
    "Restores an archived or deleted session.",
    update(sessions)
    .where(HAS_ID, s.erased_at.is_(None), or_(s.archived_at.is_not(None), s.deleted_at.is_not(None)))
    .values(archived_at=None, deleted_at=None, **NEXT_REVISION)
    .returning(sessions),
    SessionRow,
)
DELETE = statement(
    "session.delete",
    "Marks a session as deleted.",
    update(sessions).where(NOT_DELETED).values(deleted_at=func.now(), **NEXT_REVISION).returning(sessions),
    SessionRow,
)
REACTIVATE = statement(
    "session.reactivate",
    "Makes an archived or idle session ACTIVE again.",
    update(sessions).where(NOT_DELETED).values(archived_at=None, status="ACTIVE", **NEXT_REVISION).returning(sessions),
    SessionRow,
)
HAS_EXPIRED = statement(
    "session.has_expired",
    "The id of a session whose expiresAt has passed.",
    select(s.id).where(HAS_ID, s.expires_at <= func.now()),
    SessionRow,
)
UP_TO = bindparam("up_to", type_=Integer)


def _unread(*sequences: ColumnElement[bool]) -> ColumnElement[int]:
    """The number of messages of these sequences that count as unread."""
    unread = (m.owner_id == OWNER, m.session_id == s.id, m.role != "USER", m.deleted_at.is_(None))
    return select(func.count()).where(*unread, *sequences).correlate(sessions).scalar_subquery()


# Counts the shorter side: the messages that become read, or those that stay unread.
UNREAD_AFTER = case(
    (
        UP_TO - s.last_read_sequence < s.last_sequence - UP_TO,
        s.unread_count - _unread(m.sequence > s.last_read_sequence, m.sequence <= UP_TO),
    ),
    else_=_unread(m.sequence > UP_TO),
)
MARK_READ = statement(
    "session.mark_read",
    "Marks the messages of a session as read up to a sequence.",
    update(sessions)
    .where(NOT_DELETED, s.last_read_sequence < UP_TO, s.last_read_sequence < s.last_sequence)
    .values(last_read_sequence=func.least(UP_TO, s.last_sequence), unread_count=UNREAD_AFTER, **NEXT_REVISION)
    .returning(sessions),
    SessionRow,
)

STATUS, AGENT_TYPE = bindparam("status", type_=ARRAY(Text)), bindparam("agent_type", type_=Text)
ROLE, TASK_ID = bindparam("role", type_=Text), bindparam("task_id", type_=Uuid)
QUERY = bindparam("query", type_=Text)
OTHER_FILTERS = and_(
    or_(AGENT_TYPE.is_(None), s.agent_type == AGENT_TYPE),
    or_(ROLE.is_(None), s.role == ROLE),
    or_(TASK_ID.is_(None), s.task_id == TASK_ID),
    or_(QUERY.is_(None), contains(s.title, QUERY)),
)
MATCHING = and_(
    s.owner_id == OWNER,
    s.erased_at.is_(None),
    s.archived_at.is_not(None) == bindparam("archived", type_=Boolean),
    s.deleted_at.is_not(None) == bindparam("deleted", type_=Boolean),
    or_(STATUS.is_(None), s.status == any_(STATUS)),
    OTHER_FILTERS,
)
# The list without a filter, which clients read most: it has one generic plan.
UNFILTERED = and_(s.owner_id == OWNER, s.archived_at.is_(None), s.deleted_at.is_(None))
STATUSES = func.unnest(STATUS).table_valued(column("status", Text), name="statuses").render_derived()
# The second condition is that of the index.
OF_STATUS = and_(
    s.status == STATUSES.c.status,
    s.status == any_(literal([*INDEXED_STATUSES], ARRAY(Text))),
    UNFILTERED,
    OTHER_FILTERS,
)
COUNT = statement(
    "session.count[filtered]",
    "The number of sessions that match a filter.",
    select(func.count().label("total")).select_from(sessions).where(MATCHING),
    Count,
    custom_plan=True,
)


SHAPES = [
    (order, shape)
    for order in ORDERS.values()
    for shape in ("", "filtered", "by_status")
    if shape != "by_status" or order.keys is ACTIVITY
]
"""The orders of a page, with how its filter is read. The index of statuses has one order."""


@cache
def _page(order: Order, backward: bool, shape: str) -> Statement[SessionRow]:
    return statement(
        variant("session.page", order.name, direction(backward), *filter(None, [shape])),
        "A page of the owner's sessions.",
        page_of_each(order, SESSIONS.where(OF_STATUS), STATUSES, backward)
        if shape == "by_status"
        else order.page(SESSIONS.where(MATCHING if shape else UNFILTERED), backward),
        SessionRow,
        SESSION,
        custom_plan=bool(shape),
    )


def _last(of: Any) -> Select[Any]:
    """The newest message of each session in `of`, with its writer."""
    newest = (
        select(*(as_client_text(m[name]) for name in PartialMessage._fields if name != "agent_id"))
        .where(m.owner_id == OWNER, m.session_id == of.c.id, m.deleted_at.is_(None))
        .order_by(m.sequence.desc())
        .limit(literal(1, Integer))
        .correlate(of)
        .subquery("newest")
    )
    writer = writer_of(of.c.id, newest.c.agent_key, of, newest)
    columns = func.json_build_array(*writer.c, *newest.c, type_=JSON)
    return select(columns).select_from(newest.outerjoin(writer, true()))


@cache
def _page_with_last(order: Order, backward: bool, shape: str) -> Statement[SessionRow]:
    page = _page(order, backward, shape)
    last = _last(page.element.selected_columns["id"].table).scalar_subquery().label("last")
    return statement(
        variant(page.name, "with_last"),
        "A page of the owner's sessions, each with its newest message, and the catalogue's agent that wrote it.",
        page.partial.element.add_columns(last),
        SessionRow,
        custom_plan=bool(shape),
    )


@cache
def _page_with_agents(order: Order, backward: bool) -> Statement[SessionRow]:
    page = _page(order, backward, "")
    number = func.row_number().over(order_by=order.directed([key.column for key in order.keys], backward))
    agents = case((number == literal(1, Integer), AGENTS_BY_IDS)).label("agents")
    return statement(
        variant(page.name, "with_agents"),
        "A page of the owner's sessions, the first with agents of the catalogue.",
        page.partial.element.add_columns(agents),
        SessionRow,
    )


def _shape(order: Order, filters: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """How a page with these filters is read, and the parameters for it."""
    if not is_filtered(filters):
        return "", {}
    statuses = dict.fromkeys(filters["status"] or ())
    listed = not filters["archived"] and not filters["deleted"]
    if not (statuses and listed and order.keys is ACTIVITY and statuses.keys() <= set(INDEXED_STATUSES)):
        return "filtered", filters
    others = {name: value for name, value in filters.items() if name not in ("archived", "deleted")}
    return "by_status", {**others, "status": list(statuses)}


async def page(
    db: Reads,
    viewer: Viewer,
    window: Window,
    order: Order,
    filters: Mapping[str, Any],
    *,
    partial: bool = False,
    with_last: bool = False,
    agent_ids: Sequence[str] = (),
) -> Slice[SessionRow]:
    """One page of the viewer's sessions. A filter that is not set is None; `archived` and `deleted` are always set.

    `with_last`: partial rows with the newest message of each session. `agent_ids`, without a filter: partial rows, the
    first with these agents of the catalogue.
    """
    chosen = [name for name, value in filters.items() if value not in (None, False)]
    shape, parameters = _shape(order, filters)
    if agent_ids:
        page, parameters = _page_with_agents(order, window.backward), {"agent_ids": agent_ids}
    else:
        page = (_page_with_last if with_last else _page)(order, window.backward, shape)
    found = await read_page(
        db, viewer, page.partial if partial else page, COUNT, window, order.bounds(window), parameters, filters
    )
    if not chosen:
        found.total = lambda: session_totals.listed(db, viewer)
    elif chosen == ["archived"]:
        found.total = lambda: session_totals.archived(db, viewer)
    return found


def is_filtered(filters: Mapping[str, Any]) -> bool:
    """True if a filter is set."""
    return any(value not in (None, False) for value in filters.values())


agent = parent_table(agent_id=Uuid)
MAX_FEW_SESSIONS = 200
"""How many sessions an agent may take part in so that a page reads them all, instead of the newest of the owner."""
_taking_part = select(g.session_id).where(g.owner_id == OWNER, g.agent_id == agent.c.agent_id)
_first = _taking_part.limit(literal(MAX_FEW_SESSIONS + 1, Integer)).correlate(agent).lateral("first")
_has_few = (
    select(func.count() <= literal(MAX_FEW_SESSIONS, Integer)).select_from(_first).correlate(agent).scalar_subquery()
)
_few = select(func.array_agg(_first.c.session_id)).correlate(agent).scalar_subquery()
# Scalar subqueries keep the planner from joins: it takes the agent of an owner for an average one.
_takes_part = (
    _taking_part.where(g.session_id == s.id).limit(literal(1, Integer)).correlate(sessions, agent).scalar_subquery()
).is_not(None)
_is_one_of_few = s.id == any_(cast(_few, ARRAY(Uuid)))
_each = _taking_part.distinct().correlate(agent).lateral("each")
_existing = (
    select(s.id)
    .where(s.owner_id == OWNER, s.id == _each.c.session_id, s.deleted_at.is_(None))
    .limit(literal(1, Integer))
    .correlate(_each)
    .lateral("existing")
)
OF_AGENTS = Nested(
    "session.of_agents",
    "The sessions of agents, the most recently active first.",
    SESSIONS.where(s.owner_id == OWNER, s.deleted_at.is_(None)),
    SessionRow,
    ORDERS["LAST_ACTIVITY", "DESC"],
    agent,
    SESSION,
    parts=(
        and_(_has_few, _is_one_of_few),
        and_(not_(_has_few), _takes_part, s.archived_at.is_(None)),
        and_(not_(_has_few), _takes_part, s.archived_at.is_not(None)),
    ),
    counted=select(_existing.c.id).select_from(_each.join(_existing, true())),
)


@cache
def _update(fields: frozenset[str]) -> Statement[SessionRow]:
    expected = bindparam("expected", type_=Integer)
    return statement(
        variant("session.update", *sorted(fields)),
        "Sets these columns of a session, if its own revision is the expected one.",
        update(sessions)
        .where(NOT_DELETED, or_(expected.is_(None), s.revision == expected))
        .values(**NEXT_REVISION, **{field: bindparam(f"new_{field}", type_=s[field].type) for field in fields})
        .returning(sessions),
        SessionRow,
    )


async def change(tx: Tx, session_id: str, fields: Mapping[str, Any], expected: int | None) -> SessionRow | None:
    """The session with `fields` set; None if it does not exist, is deleted, or is not at the expected revision."""
    values = {f"new_{field}": value for field, value in fields.items()}
    return await tx.one(_update(frozenset(fields)), session_id=session_id, expected=expected, **values)
