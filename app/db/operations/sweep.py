"""The steps of the sweeper: find what is due across owners, then change it for one owner at a time.

The queries across owners only read (invariant 1). The sweeper holds no lock between the query and the change, so each
change repeats the condition of its query. A query reads the oldest things first, from a position on: a partial index
on its time serves each batch, and a thing that cannot be changed does not return in the next batch.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, and_, bindparam, delete, func, or_, select, tuple_, update

from app.db import audit, session, session_erasure, session_totals, streaming_end
from app.db.access.database import Database
from app.db.access.statement import OWNER, AcrossOwners, Row, Statement, across_owners, statement
from app.db.access.transaction import Tx
from app.db.reading.rows import SessionRow
from app.db.record import TOMBSTONE
from app.db.tables import idempotency_keys, messages, records, sessions, streams
from app.db.tables.columns import Timestamp
from app.db.tables.record import IS_TOMBSTONE
from app.record_path import is_live

s, m, k, x, r = sessions.c, messages.c, idempotency_keys.c, streams.c, records.c
LOCK = 2_608_114_907  # any number that nothing else in the database locks
BEFORE, LIMIT = bindparam("before", type_=Timestamp), bindparam("limit", type_=Integer)
HAS_ID = and_(s.owner_id == OWNER, s.id == bindparam("session_id"))


class Owner(NamedTuple):
    """The owner that a change is bound to."""

    subject: str


class Due(Row):
    """One thing that is due: since when, its owner, and its key. The three are its position in a query."""

    at: datetime
    owner_id: str
    key: str


class Position(NamedTuple):
    """The position behind which a query reads on."""

    at: datetime
    owner_id: str
    key: str


# After -infinity, the time of the tombstones of records, as which asyncpg writes the first day.
START = Position(datetime(1, 1, 2, tzinfo=UTC), "", str(UUID(int=0)))


class Step(NamedTuple):
    """One step of the sweeper: the queries for what is due before a time, and the change of one such thing.

    `act` returns whether it changed anything.
    """

    name: str
    due: tuple[AcrossOwners[Due], ...]
    act: Callable[[Tx, str, datetime], Awaitable[bool]]


def _due(
    name: str, sentence: str, at: Any, owner: Any, key: Any, *conditions: Any, end: ColumnElement[Any] = BEFORE
) -> AcrossOwners[Due]:
    """What is due since before `end`, the oldest first. `conditions` are those of the index that serves the query."""
    after = (
        bindparam("after_at", type_=Timestamp),
        bindparam("after_owner", type_=owner.type),
        bindparam("after_key", type_=key.type),
    )
    position = tuple_(at, owner, key)
    query = (
        select(at.label("at"), owner.label("owner_id"), key.label("key"))
        .where(at < end, position > tuple_(*after), *conditions)
        .order_by(at, owner, key)
        .limit(LIMIT)
    )
    return across_owners(f"sweep.{name}", sentence, query, Due)


async def due_after(
    db: Database, query: AcrossOwners[Due], position: Due | Position, before: datetime, limit: int
) -> list[Due]:
    """At most `limit` things that are due before a time, from a position on."""
    return await db.fetch_across(
        query,
        before=before,
        limit=limit,
        after_at=position.at,
        after_owner=position.owner_id,
        after_key=position.key,
    )


_can_expire = (or_(s.status == "PENDING", s.status == "ACTIVE"), s.deleted_at.is_(None))
_is_idle = and_(*_can_expire, or_(s.last_activity_at < BEFORE, s.expires_at <= func.now()))
EXPIRE = statement(
    "sweep.expire",
    "Expires a session that is still idle.",
    update(sessions).where(HAS_ID, _is_idle).values(status="EXPIRED", **session.NEXT_REVISION).returning(sessions),
    SessionRow,
)
_has_ended = and_(s.erased_at.is_(None), or_(s.deleted_at < BEFORE, and_(s.status == "EXPIRED", s.updated_at < BEFORE)))
LOCK_ENDED = statement(
    "sweep.lock_ended",
    "A session that is still deleted or expired, locked until the commit.",
    select(sessions).where(HAS_ID, _has_ended).with_for_update(),
    SessionRow,
)
REMOVE_SESSION: Statement[Row] = statement(
    "sweep.remove_session",
    "Removes the tombstone of an erased session.",
    delete(sessions).where(HAS_ID, s.erased_at < BEFORE).returning(s.id),
)
REMOVE_MESSAGES: Statement[Row] = statement(
    "sweep.remove_messages",
    "Removes the tombstones of deleted messages of a session.",
    delete(messages)
    .where(m.owner_id == OWNER, m.session_id == bindparam("session_id"), m.deleted_at < BEFORE)
    .returning(m.revision),
)
ADVANCE_HORIZON: Statement[Row] = statement(
    "sweep.advance_horizon",
    "Counts removed tombstones in their session, and refuses cursors from before the removal.",
    update(sessions)
    .where(HAS_ID)
    .values(
        purged_count=s.purged_count + bindparam("removed", type_=Integer),
        horizon=func.greatest(s.horizon, bindparam("newest", type_=Integer)),
    )
    .returning(s.id),
)
REMOVE_KEY: Statement[Row] = statement(
    "sweep.remove_key",
    "Removes an old idempotency key.",
    delete(idempotency_keys)
    .where(k.owner_id == OWNER, k.key == bindparam("key"), k.created_at < BEFORE)
    .returning(k.key),
)


REMOVE_RECORD: Statement[Row] = statement(
    "sweep.remove_record",
    "Removes a record whose time has passed.",
    delete(records).where(r.owner_id == OWNER, r.path == bindparam("path"), r.expires_at < BEFORE).returning(r.path),
)


EMPTY_RECORD: Statement[Row] = statement(
    "sweep.empty_record",
    "Empties a live record whose time has passed; its tombstone stays.",
    update(records)
    .where(r.owner_id == OWNER, r.path == bindparam("path"), r.expires_at < BEFORE, func.isfinite(r.expires_at))
    .values(TOMBSTONE)
    .returning(r.path),
)
REMOVE_RECORD_TOMBSTONE: Statement[Row] = statement(
    "sweep.remove_record_tombstone",
    "Removes the tombstone of a live record.",
    delete(records)
    .where(r.owner_id == OWNER, r.path == bindparam("path"), IS_TOMBSTONE, r.updated_at < BEFORE)
    .returning(r.path),
)


async def _expire(tx: Tx, session_id: str, before: datetime) -> bool:
    row = await tx.one(EXPIRE, session_id=session_id, before=before)
    if row is not None:
        tx.record_change(row.id, row.head)
        await audit.record_system(tx, "session.expired", row)
    return row is not None


async def _erase(tx: Tx, session_id: str, before: datetime) -> bool:
    ended = await tx.one(LOCK_ENDED, session_id=session_id, before=before)
    if ended is None:
        return False
    row = await session_erasure.erase(tx, ended)
    if row is not None:
        tx.record_change(row.id, row.head)
        await audit.record_system(tx, "session.deleted", row, mode="HARD")
    return row is not None


async def _remove_session(tx: Tx, session_id: str, before: datetime) -> bool:
    if await tx.one(REMOVE_SESSION, session_id=session_id, before=before) is None:
        return False
    # A count that ran beside the erasure may have seen the session as it was.
    await session_totals.forget(tx, session_id)
    return True


async def _remove_messages(tx: Tx, session_id: str, before: datetime) -> bool:
    if await tx.one(session.FOR_UPDATE, session_id=session_id) is None:
        return False
    removed = await tx.fetch(REMOVE_MESSAGES, session_id=session_id, before=before)
    newest = max((row["revision"] for row in removed), default=0)
    await tx.one(ADVANCE_HORIZON, session_id=session_id, removed=len(removed), newest=newest)
    return bool(removed)


async def _remove_key(tx: Tx, key: str, before: datetime) -> bool:
    return await tx.one(REMOVE_KEY, key=key, before=before) is not None


async def _remove_record(tx: Tx, path: str, before: datetime) -> bool:
    if not is_live(path):
        return await tx.one(REMOVE_RECORD, path=path, before=before) is not None
    emptied = await tx.one(EMPTY_RECORD, path=path, before=before)
    if emptied is not None:
        tx.record_change("", 0)
    return emptied is not None


async def _remove_record_tombstone(tx: Tx, path: str, before: datetime) -> bool:
    return await tx.one(REMOVE_RECORD_TOMBSTONE, path=path, before=before) is not None


IDLE = _due("idle", "Sessions without activity since a time.", s.last_activity_at, s.owner_id, s.id, *_can_expire)
PAST_EXPIRES_AT = _due(
    "past_expires_at",
    "Sessions past expiresAt.",
    s.expires_at,
    s.owner_id,
    s.id,
    *_can_expire,
    s.expires_at.is_not(None),
    # Every query takes the time before which idle sessions are due; expiresAt is later than that time.
    end=func.greatest(BEFORE, func.now()),
)
DELETED = _due(
    "deleted",
    "Sessions deleted before a time.",
    s.deleted_at,
    s.owner_id,
    s.id,
    s.deleted_at.is_not(None),
    s.erased_at.is_(None),
)
EXPIRED = _due(
    "expired",
    "Sessions expired before a time.",
    s.updated_at,
    s.owner_id,
    s.id,
    s.status == "EXPIRED",
    s.erased_at.is_(None),
)
ERASED = _due("erased", "Sessions erased before a time.", s.erased_at, s.owner_id, s.id, s.erased_at.is_not(None))
DELETED_MESSAGES = _due(
    "deleted_messages",
    "Sessions with messages deleted before a time.",
    m.deleted_at,
    m.owner_id,
    m.session_id,
    m.deleted_at.is_not(None),
)
OLD_KEYS = _due("old_keys", "Idempotency keys stored before a time.", k.created_at, k.owner_id, k.key)
EXPIRED_RECORDS = _due(
    "expired_records", "Records whose time has passed.", r.expires_at, r.owner_id, r.path, r.expires_at.is_not(None)
)
DELETED_RECORDS = _due(
    "deleted_records", "Live records deleted before a time.", r.updated_at, r.owner_id, r.path, IS_TOMBSTONE
)
SILENT_STREAMS = _due(
    "silent_streams",
    "Sessions with streams that are silent since a time.",
    x.active_at,
    x.owner_id,
    x.session_id,
    x.updated_at < BEFORE,
)
EXPIRE_SESSIONS = Step("sessions expired", (IDLE, PAST_EXPIRES_AT), _expire)
ERASE_SESSIONS = Step("sessions erased", (DELETED, EXPIRED), _erase)
REMOVE_SESSIONS = Step("tombstones of sessions removed", (ERASED,), _remove_session)
REMOVE_TOMBSTONES = Step("sessions cleared of tombstones", (DELETED_MESSAGES,), _remove_messages)
REMOVE_RECORDS = Step("records removed", (EXPIRED_RECORDS,), _remove_record)
REMOVE_RECORD_TOMBSTONES = Step("tombstones of records removed", (DELETED_RECORDS,), _remove_record_tombstone)
REMOVE_KEYS = Step("idempotency keys removed", (OLD_KEYS,), _remove_key)


def fail_streams(indexing: Mapping[str, Any]) -> Step:
    """The step that ends streaming messages whose producer is silent: FAILED, with the text so far."""

    async def fail(tx: Tx, session_id: str, before: datetime) -> bool:
        if await tx.one(session.FOR_UPDATE, session_id=session_id) is None:
            return False
        return bool(await streaming_end.end_all(tx, session_id, "FAILED", indexing, before))

    return Step("sessions with abandoned streams", (SILENT_STREAMS,), fail)


class Retention(NamedTuple):
    """How long things are kept: idle sessions, what was deleted (None: forever), idempotency keys, silent streams.

    `records` is for the tombstones of live records, which keep their names. `indexing` are the search parameters of the
    settings, for the text of a failed stream.
    """

    idle: timedelta
    deleted: timedelta | None
    records: timedelta
    keys: timedelta
    silent: timedelta
    indexing: Mapping[str, Any]

    def steps(self) -> list[tuple[Step, timedelta]]:
        """The steps in their order, each with the age from which on a thing is due."""
        removal = (ERASE_SESSIONS, REMOVE_SESSIONS, REMOVE_TOMBSTONES)
        return [
            (fail_streams(self.indexing), self.silent),
            (EXPIRE_SESSIONS, self.idle),
            *([] if self.deleted is None else [(step, self.deleted) for step in removal]),
            (REMOVE_KEYS, self.keys),
            (REMOVE_RECORDS, timedelta(0)),
            (REMOVE_RECORD_TOMBSTONES, self.records),
        ]


@asynccontextmanager
async def exclusive(db: Database) -> AsyncIterator[bool]:
    """Holds the sweeper's lock until the end of the block; False if another replica holds it.

    The lock belongs to a transaction: a pooler would hand a session's lock to another client. The transaction may be
    idle for the whole sweep; without a snapshot it holds up no vacuum.
    """
    async with db.pool.connection() as connection, connection.begin():
        await connection.execute(select(func.set_config("idle_in_transaction_session_timeout", "0", True)))
        yield bool(await connection.scalar(select(func.pg_try_advisory_xact_lock(LOCK))))
