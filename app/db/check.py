"""What must never be in the database, and where it is: the invariants, asked of every row of every owner."""

from collections.abc import AsyncIterator

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, literal, or_, select, union_all

from app.db.database import AcrossOwners, Database, Row, across_owners
from app.db.tables import approvals, messages, session_agents, sessions, tasks

s, m, g, t, p = sessions.c, messages.c, session_agents.c, tasks.c, approvals.c


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
}


ANY = across_owners(select(s.owner_id, s.id.label("session_id")).limit(1), Found)


async def is_empty(db: Database) -> bool:
    """Whether nobody has made a session yet."""
    return not await db.fetch_across(ANY)


async def broken(db: Database) -> AsyncIterator[tuple[str, list[Found]]]:
    """Each rule with the sessions that break it, one rule after the other."""
    for rule, query in RULES.items():
        yield rule, await db.fetch_across(query)
