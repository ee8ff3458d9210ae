"""The rules that every row of every owner must obey (invariants 1 to 3), and the sessions that violate them."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)

from app.db.access.database import Database
from app.db.access.statement import AcrossOwners, Row, across_owners
from app.db.session_totals import AGENT_TYPE, FIGURES, NOW
from app.db.tables import (
    approvals,
    count_positions,
    counted_sessions,
    message_chunks,
    messages,
    records,
    session_agents,
    session_totals,
    sessions,
    streams,
    tasks,
)
from app.db.tables.columns import Uuid

s, m, g, t, p = sessions.c, messages.c, session_agents.c, tasks.c, approvals.c
x, c, r = streams.c, message_chunks.c, records.c
n, k = counted_sessions.c, session_totals.c


class Violation(Row):
    """A session that violates a rule."""

    owner_id: str
    session_id: str


RULES: dict[str, AcrossOwners[Violation]] = {}
"""Each rule with the query for the sessions that violate it."""


def _rule(name: str, rule: str, query: Select[Any]) -> None:
    sentence = f"The sessions that violate the rule: {rule}."
    RULES[rule] = across_owners(f"check.{name}", sentence, query, Violation)


def _sessions(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(s.owner_id, s.id.label("session_id")).where(*conditions)


def _message_count(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """The number of messages of a session that fulfil the conditions."""
    return (
        select(func.count())
        .where(m.owner_id == s.owner_id, m.session_id == s.id, *conditions)
        .correlate(sessions)
        .scalar_subquery()
    )


_numbers = union_all(
    select(s.owner_id, s.id.label("session_id"), s.revision).where(s.erased_at.is_(None)),
    select(m.owner_id, m.session_id, m.revision),
    select(g.owner_id, g.session_id, g.revision),
    select(t.owner_id, t.session_id, t.revision).where(t.session_id.is_not(None)),
    select(p.owner_id, p.session_id, p.revision).where(p.session_id.is_not(None)),
).subquery("numbers")
_n = _numbers.c
_of_numbers = and_(s.owner_id == _n.owner_id, s.id == _n.session_id)

_not_deleted = m.deleted_at.is_(None)
_rule(
    "message_count",
    "messageCount is the number of messages",
    _sessions(s.message_count != _message_count(_not_deleted)),
)
_unread = and_(_not_deleted, m.role != "USER", m.sequence > s.last_read_sequence)
_rule(
    "unread_count",
    "unreadCount is the number of unread messages",
    _sessions(s.unread_count != _message_count(_unread)),
)
_rule(
    "sequences",
    "the sequences of a session are 1, 2, 3, ... without a gap",
    _sessions(
        or_(
            s.last_sequence != _message_count() + s.purged_count,
            s.last_sequence != _message_count(m.sequence.between(1, s.last_sequence)) + s.purged_count,
        )
    ),
)
_rule(
    "head",
    "no change number is above the session's head",
    _sessions(_n.revision > s.head).join(_numbers, _of_numbers),
)
_rule(
    "unique_numbers",
    "every change number of a session belongs to one row",
    select(_n.owner_id, _n.session_id)
    .group_by(_n.owner_id, _n.session_id, _n.revision)
    .having(func.count() > literal(1)),
)
_rule(
    "existing_session",
    "the session of every row exists and is not erased",
    select(_n.owner_id, _n.session_id)
    .outerjoin(sessions, _of_numbers)
    .where(or_(s.id.is_(None), s.erased_at.is_not(None))),
)

_rule(
    "records_of_erased",
    "no record belongs to an erased session",
    _sessions(
        s.erased_at.is_not(None),
        select(literal(1)).where(r.owner_id == s.owner_id, r.session_id == s.id).correlate(sessions).exists(),
    ),
)

_streaming = union_all(
    select(x.owner_id, x.session_id, x.sequence),
    select(m.owner_id, m.session_id, m.sequence).where(m.status == "STREAMING"),
).subquery("streaming")
_rule(
    "stream_of_message",
    "a message has a stream exactly while it is STREAMING",
    select(_streaming.c.owner_id, _streaming.c.session_id)
    .group_by(_streaming.c.owner_id, _streaming.c.session_id, _streaming.c.sequence)
    .having(func.count() != literal(2)),
)
_line_breaks = func.char_length(c.parts) - func.char_length(func.replace(c.parts, "\n", ""))
_size = func.coalesce(_line_breaks + literal(1, Integer), func.char_length(c.text))
_of_stream = and_(c.owner_id == x.owner_id, c.session_id == x.session_id, c.sequence == x.sequence)
_length = select(func.coalesce(func.sum(_size), 0)).where(_of_stream).correlate(streams).scalar_subquery()
_rule(
    "stream_length",
    "the length of a stream is the length of its chunks",
    select(x.owner_id, x.session_id).where(x.length != _length),
)
_end_of_previous = func.sum(_size).over(partition_by=(c.owner_id, c.session_id, c.sequence), order_by=c.offset) - _size
_chunks = (
    select(c.owner_id, c.session_id, c.offset, _end_of_previous.label("end_of_previous"), x.fence)
    .outerjoin(streams, _of_stream)
    .subquery("chunks")
)
_rule(
    "chunk_offsets",
    "every chunk of a stream begins where the previous one ends",
    select(_chunks.c.owner_id, _chunks.c.session_id).where(
        or_(_chunks.c.fence.is_(None), _chunks.c.offset != _chunks.c.end_of_previous)
    ),
)

_totals = union_all(
    select(n.owner_id, n.agent_type, literal(1).label("sessions"), *(n[name] for name in FIGURES)),
    select(k.owner_id, k.agent_type, -k.sessions, *(-k[name] for name in FIGURES)),
).subquery("totals")
_rule(
    "session_totals",
    "the totals of an owner are the sums of the counted sessions",
    select(_totals.c.owner_id, cast(literal(str(UUID(int=0)), Text), Uuid).label("session_id"))
    .group_by(_totals.c.owner_id, _totals.c.agent_type)
    .having(or_(*(func.sum(_totals.c[name]) != literal(0) for name in ("sessions", *FIGURES)))),
)
_is_counted = and_(n.owner_id == s.owner_id, n.session_id == s.id)
_differs = or_(n.agent_type != AGENT_TYPE, *(n[name] != figure for name, figure in NOW.items()))
_position = count_positions.c
# A column of the function, and not a table: Citus would read that table on its coordinator, once for all nodes.
_cluster = func.pg_control_system().scalar_table_valued("system_identifier", BigInteger)
_rule(
    "counted_sessions",
    "a session is counted as it is, unless it has changed since",
    _sessions(
        s.changed_xid < _position.xid,
        _position.epoch == _cluster,
        or_(
            and_(s.deleted_at.is_not(None), n.session_id.is_not(None)),
            and_(s.deleted_at.is_(None), or_(n.session_id.is_(None), _differs)),
        ),
    ).select_from(
        sessions.join(count_positions, _position.owner_id == s.owner_id).outerjoin(counted_sessions, _is_counted)
    ),
)
_rule(
    "existing_counted_session",
    "every counted session exists",
    select(n.owner_id, n.session_id)
    .select_from(counted_sessions.outerjoin(sessions, _is_counted))
    .where(s.id.is_(None)),
)

ANY_SESSION = across_owners("check.any_session", "A session of any owner.", _sessions().limit(1), Violation)


async def is_empty(db: Database) -> bool:
    """True if no owner has a session."""
    return not await db.fetch_across(ANY_SESSION)


async def violations(db: Database) -> AsyncIterator[tuple[str, list[Violation]]]:
    """Each rule with the sessions that violate it, one rule after the other."""
    for rule, query in RULES.items():
        yield rule, await db.fetch_across(query)
