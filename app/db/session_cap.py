"""The cap on active sessions per agent type: a lock, a count, and the archiving of the least recently active ones.

The lock of the cap comes before the locks of sessions (docs/decisions/0008-cap-lock-order.md).
"""

from sqlalchemy import Integer, Text, and_, bindparam, func, literal_column, or_, select, true, union

from app.db import session, session_totals
from app.db.access.routed import Step
from app.db.access.statement import OWNER, Row, statement
from app.db.access.transaction import Tx
from app.db.reading.page import Count
from app.db.reading.rows import SessionRow
from app.db.tables import counted_sessions, sessions
from app.db.viewer_changes import AT_OWNER

s, c = sessions.c, counted_sessions.c
AGENT_TYPE = bindparam("agent_type", type_=Text)
# The cap counts sessions that accept a message as they are.
OTHER_ACTIVE = and_(
    s.owner_id == OWNER,
    s.agent_type == AGENT_TYPE,
    or_(s.status == "PENDING", s.status == "ACTIVE"),
    s.archived_at.is_(None),
    s.deleted_at.is_(None),
    s.id != bindparam("session_id"),
)
# Those that were counted as active, and those that have changed since; others are not read.
_candidates = union(
    select(c.session_id.label("id")).where(
        c.owner_id == OWNER, c.agent_type == AGENT_TYPE, c.active == literal_column("1", Integer)
    ),
    select(s.id).where(session_totals.CHANGED_SINCE),
).subquery("candidates")
_others = (
    select(sessions).where(OTHER_ACTIVE, s.id == _candidates.c.id).limit(1).correlate(_candidates).lateral("others")
)
_from_others = _candidates.join(_others, true())


class LockedCap(Row):
    """`changed`: how many sessions have changed since the last count and can be counted; the cap reads each of them."""

    changed: int


_lock = select(
    func.pg_advisory_xact_lock(func.hashtextextended(OWNER.concat(" ").concat(AGENT_TYPE), 0)).label("locked"),
    session_totals.CHANGED_COUNT.label("changed"),
)
LOCK = statement(
    "session_cap.lock",
    "Takes the lock of the cap for an agent type, until the end of the transaction.",
    _lock,
    LockedCap,
)
LOCK.routed = (
    Step(
        statement(
            "session_cap.lock[routed]",
            "Takes the lock of the cap on the owner's node, where all coordinators meet.",
            _lock.select_from(AT_OWNER),
            LockedCap,
        )
    ),
)
COUNT_OTHERS = statement(
    "session_cap.count_others",
    "The number of active sessions of an agent type, without one session.",
    select(func.count().label("total")).select_from(_from_others),
    Count,
)
BEYOND = statement(
    "session_cap.beyond",
    "The active sessions of an agent type beyond a number, without one session, the least recently active ones.",
    select(_others)
    .select_from(_from_others)
    .order_by(_others.c.last_activity_at.desc(), _others.c.id.desc())
    .offset(bindparam("number", type_=Integer)),
    SessionRow,
)


async def lock(tx: Tx, agent_type: str) -> None:
    """Blocks other transactions that change the number of active sessions of this type, until this one ends."""
    [cap] = await tx.fetch(LOCK, agent_type=agent_type)
    if cap.changed > session_totals.MANY_CHANGED:
        # After the commit: the lock of the count is the last that a transaction takes.
        tx.after_commit.append(session_totals.count_changed)


async def count_others(tx: Tx, row: SessionRow) -> int:
    """The number of active sessions of its type without this one. Needs `lock`."""
    [count] = await tx.fetch(COUNT_OTHERS, agent_type=row.agent_type, session_id=row.id)
    return count.total


async def make_room(tx: Tx, row: SessionRow, cap: int) -> list[SessionRow]:
    """Archives the least recently active sessions of its type until this one is within the cap. Needs `lock`.

    Returns the archived sessions.
    """
    beyond = await tx.fetch(BEYOND, agent_type=row.agent_type, session_id=row.id, number=cap - 1)
    archived = []
    for other in sorted(beyond, key=lambda session: session.id):  # locks are taken in the order of ids
        changed = await tx.one(session.ARCHIVE, session_id=other.id)
        if changed is not None:
            tx.record_change(changed.id, changed.head)
            archived.append(changed)
    return archived
