"""Statements on sessions, and on everything in one when it is erased."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.access.database import OWNER, Database, Row, Statement, Tx, Viewer, statement
from app.db.reading.page import Count, Nested, Order, Slice, Window, identity, parent_table, read, time
from app.db.reading.partial_rows import SESSION
from app.db.reading.rows import SessionRow
from app.db.tables import approvals, message_chunks, messages, session_agents, sessions, streams, tasks
from app.db.tables.columns import Uuid

s, m, g = sessions.c, messages.c, session_agents.c

THIS = and_(s.owner_id == OWNER, s.id == bindparam("session_id"))
LIVING = and_(THIS, s.deleted_at.is_(None))
NEXT = {"head": s.head + 1, "revision": s.head + 1, "updated_at": func.now()}

ACTIVITY = (time(s.last_activity_at), identity(s.id))
# Ids are UUIDv7, so their order is the order of creation and the primary key serves it.
CREATED = (identity(s.id),)
ORDERS = {
    ("LAST_ACTIVITY", "ASC"): Order("a", ACTIVITY),
    ("LAST_ACTIVITY", "DESC"): Order("a", ACTIVITY, descending=True),
    ("CREATED_AT", "ASC"): Order("c", CREATED),
    ("CREATED_AT", "DESC"): Order("c", CREATED, descending=True),
}

BY_IDS = statement(
    select(sessions).where(
        s.owner_id == OWNER, s.id == any_(bindparam("ids", type_=ARRAY(Uuid))), s.erased_at.is_(None)
    ),
    SessionRow,
    SESSION,
)
BY_KEYS = statement(
    select(sessions).where(s.owner_id == OWNER, s.key == any_(bindparam("keys", type_=ARRAY(Text)))),
    SessionRow,
)
STATE = statement(select(sessions).where(THIS), SessionRow)
CREATE = statement(
    insert(sessions)
    .values(
        owner_id=OWNER,
        id=bindparam("id"),
        key=bindparam("key"),
        title=bindparam("title"),
        status=bindparam("status"),
        role=bindparam("role"),
        task_id=bindparam("task_id"),
        agent_type=bindparam("agent_type"),
        metadata=bindparam("metadata"),
        expires_at=bindparam("expires_at"),
        client_created_at=bindparam("client_created_at"),
        head=1,
        revision=1,
    )
    .returning(sessions),
    SessionRow,
)
LOCK = statement(
    update(sessions).where(LIVING).values(head=s.head + 1).returning(sessions),
    SessionRow,
)
ARCHIVE = statement(
    update(sessions).where(LIVING, s.archived_at.is_(None)).values(archived_at=func.now(), **NEXT).returning(sessions),
    SessionRow,
)
RESTORE = statement(
    update(sessions)
    .where(THIS, s.erased_at.is_(None), or_(s.archived_at.is_not(None), s.deleted_at.is_not(None)))
    .values(archived_at=None, deleted_at=None, **NEXT)
    .returning(sessions),
    SessionRow,
)
DELETE = statement(update(sessions).where(LIVING).values(deleted_at=func.now(), **NEXT).returning(sessions), SessionRow)
UNREAD = (
    select(func.count())
    .where(
        m.owner_id == s.owner_id,
        m.session_id == s.id,
        m.sequence > bindparam("up_to", type_=Integer),
        m.role != "USER",
        m.deleted_at.is_(None),
    )
    .correlate(sessions)
    .scalar_subquery()
)
MARK_READ = statement(
    update(sessions)
    .where(
        LIVING,
        s.last_read_sequence < bindparam("up_to", type_=Integer),
        s.last_read_sequence < s.last_sequence,
    )
    .values(
        last_read_sequence=func.least(bindparam("up_to", type_=Integer), s.last_sequence),
        unread_count=UNREAD,
        **NEXT,
    )
    .returning(sessions),
    SessionRow,
)
REVIVE = statement(
    update(sessions).where(LIVING).values(archived_at=None, status="ACTIVE", **NEXT).returning(sessions),
    SessionRow,
)
PAST_ITS_END = statement(select(s.id).where(THIS, s.expires_at <= func.now()), SessionRow)
# What the cap counts: sessions that can take a message as they are.
ACTIVE = and_(
    s.owner_id == OWNER,
    s.agent_type == bindparam("agent_type", type_=Text),
    or_(s.status == "PENDING", s.status == "ACTIVE"),
    s.archived_at.is_(None),
    s.deleted_at.is_(None),
)
CAP_LOCK: Statement[Row] = statement(
    select(
        func.pg_advisory_xact_lock(
            func.hashtextextended(OWNER.concat(" ").concat(bindparam("agent_type", type_=Text)), 0)
        ).label("locked")
    )
)
OTHERS_ACTIVE = statement(
    select(func.count().label("total")).select_from(sessions).where(ACTIVE, s.id != bindparam("session_id")), Count
)
OVERFLOW = statement(
    select(sessions)
    .where(ACTIVE, s.id != bindparam("session_id"))
    .order_by(s.last_activity_at.desc(), s.id.desc())
    .offset(bindparam("room", type_=Integer)),
    SessionRow,
)
FOR_UPDATE = statement(select(sessions).where(THIS, s.erased_at.is_(None)).with_for_update(), SessionRow)
ERASE_STREAMS: Statement[Row] = statement(
    delete(streams).where(streams.c.owner_id == OWNER, streams.c.session_id == bindparam("session_id"))
)
ERASE_CHUNKS: Statement[Row] = statement(
    delete(message_chunks).where(
        message_chunks.c.owner_id == OWNER, message_chunks.c.session_id == bindparam("session_id")
    )
)
ERASE_MESSAGES: Statement[Row] = statement(
    delete(messages).where(m.owner_id == OWNER, m.session_id == bindparam("session_id"))
)
ERASE_AGENTS: Statement[Row] = statement(
    delete(session_agents).where(g.owner_id == OWNER, g.session_id == bindparam("session_id"))
)
ERASE_APPROVALS: Statement[Row] = statement(
    delete(approvals).where(approvals.c.owner_id == OWNER, approvals.c.session_id == bindparam("session_id"))
)
ERASE_TASKS: Statement[Row] = statement(
    delete(tasks).where(tasks.c.owner_id == OWNER, tasks.c.session_id == bindparam("session_id"))
)
EMPTY = dict.fromkeys(("key", "role", "task_id", "agent_type", "client_created_at", "expires_at", "archived_at")) | {
    "title": "",
    "metadata": "{}",
    "last_sequence": 0,
    "message_count": 0,
    "unread_count": 0,
    "last_read_sequence": 0,
    "purged_count": 0,
}
ERASE = statement(
    update(sessions)
    .where(THIS)
    .values(deleted_at=func.now(), erased_at=func.now(), **NEXT, **EMPTY)
    .returning(sessions),
    SessionRow,
)

MATCHING = and_(
    s.owner_id == OWNER,
    s.erased_at.is_(None),
    s.archived_at.is_not(None) == bindparam("archived", type_=Boolean),
    s.deleted_at.is_not(None) == bindparam("deleted", type_=Boolean),
    or_(
        bindparam("status", type_=ARRAY(Text)).is_(None),
        s.status == any_(bindparam("status", type_=ARRAY(Text))),
    ),
    or_(bindparam("agent_type", type_=Text).is_(None), s.agent_type == bindparam("agent_type", type_=Text)),
    or_(bindparam("role", type_=Text).is_(None), s.role == bindparam("role", type_=Text)),
    or_(bindparam("task_id", type_=Uuid).is_(None), s.task_id == bindparam("task_id", type_=Uuid)),
    or_(
        bindparam("query", type_=Text).is_(None),
        func.strpos(func.lower(s.title), func.lower(bindparam("query", type_=Text))) > 0,
    ),
)
# What people look at first: neither archived nor deleted, and no filter.
LISTED = and_(s.owner_id == OWNER, s.archived_at.is_(None), s.deleted_at.is_(None))
COUNT = statement(select(func.count().label("total")).select_from(sessions).where(MATCHING), Count, custom_plan=True)
COUNT_LISTED = statement(select(func.count().label("total")).select_from(sessions).where(LISTED), Count)


@cache
def _page(order: Order, backward: bool, filtered: bool) -> Statement[SessionRow]:
    query = order.page(select(sessions).where(MATCHING if filtered else LISTED), backward)
    return statement(query, SessionRow, SESSION, custom_plan=filtered)


async def page(
    db: Database, viewer: Viewer, window: Window, order: Order, filters: Mapping[str, Any], *, partial: bool = False
) -> Slice[SessionRow]:
    """One page of the viewer's sessions; filters not given are None, `archived` and `deleted` always set."""
    filtered = any(value not in (None, False) for value in filters.values())
    page, count = _page(order, window.backward, filtered), COUNT if filtered else COUNT_LISTED
    return await read(db, viewer, page.partial if partial else page, count, window, order, filters if filtered else {})


agent = parent_table(agent_id=Uuid)
takes_part = (
    select(1)
    .where(g.owner_id == s.owner_id, g.session_id == s.id, g.agent_id == agent.c.agent_id)
    .correlate(sessions, agent)
    .exists()
)
OF_AGENTS = Nested(
    select(sessions).where(s.owner_id == OWNER, s.deleted_at.is_(None), takes_part),
    SessionRow,
    ORDERS["LAST_ACTIVITY", "DESC"],
    agent,
    SESSION,
)


@cache
def _update(fields: frozenset[str]) -> Statement[SessionRow]:
    """Sets these columns, if the session's own revision is the expected one."""
    expected = bindparam("expected", type_=Integer)
    return statement(
        update(sessions)
        .where(LIVING, or_(expected.is_(None), s.revision == expected))
        .values(**NEXT, **{field: bindparam(f"new_{field}", type_=s[field].type) for field in fields})
        .returning(sessions),
        SessionRow,
    )


async def change(tx: Tx, session_id: str, fields: Mapping[str, Any], expected: int | None) -> SessionRow | None:
    """The session with `fields` set; None if it is gone, deleted, or not at the expected revision."""
    values = {f"new_{field}": value for field, value in fields.items()}
    return await tx.one(_update(frozenset(fields)), session_id=session_id, expected=expected, **values)


async def erase(tx: Tx, session_id: str) -> SessionRow | None:
    """Removes every row in the locked session and leaves its emptied tombstone (invariant 3)."""
    await tx.fetch(ERASE_APPROVALS, session_id=session_id)
    await tx.fetch(ERASE_TASKS, session_id=session_id)
    # Streams before chunks: an extend in flight is waited for, and its chunk goes too.
    await tx.fetch(ERASE_STREAMS, session_id=session_id)
    await tx.fetch(ERASE_CHUNKS, session_id=session_id)
    await tx.fetch(ERASE_MESSAGES, session_id=session_id)
    await tx.fetch(ERASE_AGENTS, session_id=session_id)
    return await tx.one(ERASE, session_id=session_id)


async def lock_cap(tx: Tx, agent_type: str) -> None:
    """Holds off everybody who changes how many active sessions of this type there are, until the transaction ends."""
    await tx.fetch(CAP_LOCK, agent_type=agent_type)


async def others_active(tx: Tx, session: SessionRow) -> int:
    """How many active sessions of its type there are beside this one; under `lock_cap`."""
    [row] = await tx.fetch(OTHERS_ACTIVE, agent_type=session.agent_type, session_id=session.id)
    return row.total


async def make_room(tx: Tx, session: SessionRow, cap: int) -> list[SessionRow]:
    """Archives the least recently active of its type until this one fits in beside the others; under `lock_cap`."""
    overflow = await tx.fetch(OVERFLOW, agent_type=session.agent_type, session_id=session.id, room=cap - 1)
    archived = []
    for other in sorted(overflow, key=lambda row: row.id):
        row = await tx.one(ARCHIVE, session_id=other.id)
        if row is not None:
            tx.record_change(row.id, row.head)
            archived.append(row)
    return archived
