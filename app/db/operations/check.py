"""What must never be in the database, and where it is: the invariants, asked of every row of every owner."""

from collections.abc import AsyncIterator

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, literal, or_, select, union_all

from app.db.access.database import AcrossOwners, Database, Row, across_owners
from app.db.tables import approvals, message_chunks, messages, session_agents, sessions, streams, tasks

s, m, g, t, p = sessions.c, messages.c, session_agents.c, tasks.c, approvals.c
x, c = streams.c, message_chunks.c


class Found(Row):
    """A session that breaks a rule."""

    owner_id: str
    session_id: str


def _counts(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """How many messages of a session fulfil the conditions."""
    return (
        select(func.count())
        .where(m.owner_id == s.owner_id, m.session_id == s.id, *conditions)
        .correlate(sessions)
        .scalar_subquery()
    )


def _sessions(*conditions: ColumnElement[bool]) -> AcrossOwners[Found]:
    return across_owners(select(s.owner_id, s.id.label("session_id")).where(*conditions), Found)


_numbers = union_all(
    select(s.owner_id, s.id.label("session_id"), s.revision).where(s.erased_at.is_(None)),
    select(m.owner_id, m.session_id, m.revision),
    select(g.owner_id, g.session_id, g.revision),
    select(t.owner_id, t.session_id, t.revision).where(t.session_id.is_not(None)),
    select(p.owner_id, p.session_id, p.revision).where(p.session_id.is_not(None)),
).subquery("numbers")
_n = _numbers.c
_living = m.deleted_at.is_(None)
_unread = and_(_living, m.role != "USER", m.sequence > s.last_read_sequence)
_mine = and_(s.owner_id == _n.owner_id, s.id == _n.session_id)

_streaming = union_all(
    select(x.owner_id, x.session_id, x.sequence),
    select(m.owner_id, m.session_id, m.sequence).where(m.status == "STREAMING"),
).subquery("streaming")
_size = func.char_length(c.text)
_of_stream = and_(c.owner_id == x.owner_id, c.session_id == x.session_id, c.sequence == x.sequence)
_written = select(func.coalesce(func.sum(_size), 0)).where(_of_stream).correlate(streams).scalar_subquery()
_before = func.sum(_size).over(partition_by=(c.owner_id, c.session_id, c.sequence), order_by=c.offset) - _size
_chunks = (
    select(c.owner_id, c.session_id, c.offset, _before.label("before"), x.fence)
    .outerjoin(streams, _of_stream)
    .subquery("chunks")
)

RULES: dict[str, AcrossOwners[Found]] = {
    "messageCount is the number of messages": _sessions(s.message_count != _counts(_living)),
    "unreadCount is the number of unread messages": _sessions(s.unread_count != _counts(_unread)),
    "sequences are 1, 2, 3 without a gap": _sessions(
        or_(
            s.last_sequence != _counts() + s.purged_count,
            s.last_sequence != _counts(m.sequence.between(1, s.last_sequence)) + s.purged_count,
        )
    ),
    "no number is above the session's head": across_owners(
        select(s.owner_id, s.id.label("session_id")).join(_numbers, _mine).where(_n.revision > s.head), Found
    ),
    "no two things share a number": across_owners(
        select(_n.owner_id, _n.session_id)
        .group_by(_n.owner_id, _n.session_id, _n.revision)
        .having(func.count() > literal(1)),
        Found,
    ),
    "nothing lies in a session that is not there": across_owners(
        select(_n.owner_id, _n.session_id)
        .outerjoin(sessions, _mine)
        .where(or_(s.id.is_(None), s.erased_at.is_not(None))),
        Found,
    ),
    "a stream is there while its message is STREAMING": across_owners(
        select(_streaming.c.owner_id, _streaming.c.session_id)
        .group_by(_streaming.c.owner_id, _streaming.c.session_id, _streaming.c.sequence)
        .having(func.count() != literal(2)),
        Found,
    ),
    "a stream is as long as its chunks": across_owners(
        select(x.owner_id, x.session_id).where(x.length != _written), Found
    ),
    "the chunks of a stream follow one another": across_owners(
        select(_chunks.c.owner_id, _chunks.c.session_id).where(
            or_(_chunks.c.fence.is_(None), _chunks.c.offset != _chunks.c.before)
        ),
        Found,
    ),
}


ANY = across_owners(select(s.owner_id, s.id.label("session_id")).limit(1), Found)


async def is_empty(db: Database) -> bool:
    """Whether nobody has made a session yet."""
    return not await db.fetch_across(ANY)


async def broken(db: Database) -> AsyncIterator[tuple[str, list[Found]]]:
    """Each rule with the sessions that break it, one rule after the other."""
    for rule, query in RULES.items():
        yield rule, await db.fetch_across(query)
