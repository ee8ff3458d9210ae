"""What time has made stale: found across owners, changed for one owner at a time with the condition repeated.

The second door only reads (invariant 1); no lock is held between the finding and the change.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Integer, and_, bindparam, delete, func, or_, select, update

from app.db import audit, session, streaming_message
from app.db.access.database import OWNER, AcrossOwners, Database, Row, Statement, Tx, across_owners, statement
from app.db.reading.rows import SessionRow
from app.db.tables import idempotency_keys, messages, sessions, streams
from app.db.tables.columns import Moment

s, m, k, x = sessions.c, messages.c, idempotency_keys.c, streams.c
LOCK = 2_608_114_907  # any number that nothing else in the database locks
BEFORE, LIMIT = bindparam("before", type_=Moment), bindparam("limit", type_=Integer)


class Owner(NamedTuple):
    """Whose rows a change is bound to."""

    subject: str


class Due(Row):
    """Something stale: its owner, and its key among the owner's."""

    owner_id: str
    key: str


class Step(NamedTuple):
    """One kind of staleness: what is due before a moment, and what becomes of it. `act` tells whether it did."""

    name: str
    due: AcrossOwners[Due]
    act: Callable[[Tx, str, datetime], Awaitable[bool]]


def _due(key: Any, owner: Any, *conditions: Any) -> AcrossOwners[Due]:
    return across_owners(select(owner.label("owner_id"), key.label("key")).where(*conditions).limit(LIMIT), Due)


_running = and_(or_(s.status == "PENDING", s.status == "ACTIVE"), s.deleted_at.is_(None))
_idle = and_(_running, or_(s.last_activity_at < BEFORE, s.expires_at <= func.now()))
EXPIRE = statement(
    update(sessions)
    .where(s.owner_id == OWNER, s.id == bindparam("session_id"), _idle)
    .values(status="EXPIRED", **session.NEXT)
    .returning(sessions),
    SessionRow,
)
_ended = and_(s.erased_at.is_(None), or_(s.deleted_at < BEFORE, and_(s.status == "EXPIRED", s.updated_at < BEFORE)))
STILL_ENDED = statement(
    select(sessions).where(s.owner_id == OWNER, s.id == bindparam("session_id"), _ended).with_for_update(), SessionRow
)
FORGET_SESSION: Statement[Row] = statement(
    delete(sessions).where(s.owner_id == OWNER, s.id == bindparam("session_id"), s.erased_at < BEFORE).returning(s.id)
)
PURGE_MESSAGES = statement(
    delete(messages)
    .where(m.owner_id == OWNER, m.session_id == bindparam("session_id"), m.deleted_at < BEFORE)
    .returning(m.revision),
    Row,
)
MOVE_HORIZON: Statement[Row] = statement(
    update(sessions)
    .where(s.owner_id == OWNER, s.id == bindparam("session_id"))
    .values(
        purged_count=s.purged_count + bindparam("purged", type_=Integer),
        horizon=func.greatest(s.horizon, bindparam("newest", type_=Integer)),
    )
    .returning(s.id)
)
FORGET_KEY: Statement[Row] = statement(
    delete(idempotency_keys)
    .where(k.owner_id == OWNER, k.key == bindparam("key"), k.created_at < BEFORE)
    .returning(k.key)
)


async def _expire(tx: Tx, session_id: str, before: datetime) -> bool:
    row = await tx.one(EXPIRE, session_id=session_id, before=before)
    if row is not None:
        tx.record_change(row.id, row.head)
        await audit.record_system(tx, "session.expired", row)
    return row is not None


async def _erase(tx: Tx, session_id: str, before: datetime) -> bool:
    if await tx.one(STILL_ENDED, session_id=session_id, before=before) is None:
        return False
    row = await session.erase(tx, session_id)
    if row is not None:
        tx.record_change(row.id, row.head)
        await audit.record_system(tx, "session.deleted", row, mode="HARD")
    return row is not None


async def _forget_session(tx: Tx, session_id: str, before: datetime) -> bool:
    return await tx.one(FORGET_SESSION, session_id=session_id, before=before) is not None


async def _purge_messages(tx: Tx, session_id: str, before: datetime) -> bool:
    if await tx.one(session.FOR_UPDATE, session_id=session_id) is None:
        return False
    gone = await tx.fetch(PURGE_MESSAGES, session_id=session_id, before=before)
    newest = max((row["revision"] for row in gone), default=0)
    await tx.one(MOVE_HORIZON, session_id=session_id, purged=len(gone), newest=newest)
    return bool(gone)


async def _forget_key(tx: Tx, key: str, before: datetime) -> bool:
    return await tx.one(FORGET_KEY, key=key, before=before) is not None


EXPIRED = Step("sessions expired", _due(s.id, s.owner_id, _idle), _expire)
ERASED = Step("sessions erased", _due(s.id, s.owner_id, _ended), _erase)
FORGOTTEN = Step("tombstones of sessions removed", _due(s.id, s.owner_id, s.erased_at < BEFORE), _forget_session)
PURGED = Step(
    "sessions cleared of tombstones",
    across_owners(
        select(m.owner_id, m.session_id.label("key")).where(m.deleted_at < BEFORE).distinct().limit(LIMIT), Due
    ),
    _purge_messages,
)
SILENT = across_owners(
    select(x.owner_id, x.session_id.label("key")).where(x.updated_at < BEFORE).distinct().limit(LIMIT), Due
)


def abandoned(indexing: Mapping[str, Any]) -> Step:
    """Streams whose producer has not come back: FAILED, with what was written."""

    async def end(tx: Tx, session_id: str, before: datetime) -> bool:
        if await tx.one(session.FOR_UPDATE, session_id=session_id) is None:
            return False
        return bool(await streaming_message.end_all(tx, session_id, "FAILED", indexing, before))

    return Step("sessions with abandoned streams", SILENT, end)


KEYS = Step("idempotency keys removed", _due(k.key, k.owner_id, k.created_at < BEFORE), _forget_key)


class Ages(NamedTuple):
    """How old what may become, None is for ever; and how a text that is folded becomes searchable."""

    idle: timedelta
    kept: timedelta | None
    keys: timedelta
    silent: timedelta
    indexing: Mapping[str, Any]

    def steps(self) -> list[tuple[Step, timedelta]]:
        """What to do, and with what is older than what."""
        purge = [] if self.kept is None else [(step, self.kept) for step in (ERASED, FORGOTTEN, PURGED)]
        return [(abandoned(self.indexing), self.silent), (EXPIRED, self.idle), *purge, (KEYS, self.keys)]


@asynccontextmanager
async def alone(db: Database) -> AsyncIterator[bool]:
    """Whether no other replica sweeps at the moment, and none will until the end of the block.

    The lock is a transaction's: a pooler would give a session's lock to whoever comes next. It may be idle for as long
    as the sweep takes, and holds up no vacuum, having no snapshot.
    """
    async with db.pool.connection() as connection, connection.begin():
        await connection.execute(select(func.set_config("idle_in_transaction_session_timeout", "0", True)))
        yield bool(await connection.scalar(select(func.pg_try_advisory_xact_lock(LOCK))))
