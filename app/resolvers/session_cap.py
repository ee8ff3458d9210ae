"""The cap on active sessions of one agent type.

The cap's lock is taken before the lock of any session (docs/decisions/0008-cap-lock-order.md).
"""

from app import db
from app.db.access.transaction import Tx
from app.db.reading.rows import SessionRow
from app.errors import Limit
from app.unit_of_work import UnitOfWork


def maximum(work: UnitOfWork) -> int:
    """The largest number of active sessions of one agent type; 0: no cap."""
    return work.settings.max_active_sessions_per_agent_type


async def lock(work: UnitOfWork, tx: Tx, agent_type: str | None) -> bool:
    """Takes the cap's lock for an agent type. False if no cap applies."""
    if agent_type is None or not maximum(work):
        return False
    await db.session_cap.lock(tx, agent_type)
    return True


async def make_room(work: UnitOfWork, tx: Tx, session: SessionRow) -> list[SessionRow]:
    """Archives the least recently active other sessions above the cap, and returns them. Needs the cap's lock."""
    evicted = await db.session_cap.make_room(tx, session, maximum(work))
    for row in evicted:
        await db.audit.record_system(tx, "session.evicted", row)
    return evicted


async def check_room(work: UnitOfWork, tx: Tx, session: SessionRow) -> None:
    """Takes the cap's lock. Raises Limit if this session would become one too many."""
    if not await lock(work, tx, session.agent_type) or session.status not in ("PENDING", "ACTIVE"):
        return
    limit = maximum(work)
    if await db.session_cap.count_others(tx, session) >= limit:
        raise Limit(f"{limit} sessions of this agent type are active; archive one first.", limit=limit, field="id")
