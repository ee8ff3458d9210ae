"""Statements, transactions and lost connections, on a real PostgreSQL."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    DateTime,
    MetaData,
    Table,
    Text,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import UUID

from app.db.access import failures
from app.db.access.database import OWNER, Change, Database, Row, across_owners, statement
from app.errors import TimedOut
from harness.postgres import dsn

Id = UUID(as_uuid=False)
T = Table(
    "notes_of_a_test",
    MetaData(),
    Column("owner_id", Text, primary_key=True),
    Column("id", Id, primary_key=True),
    Column("text", Text),
    Column("document", JSON),
    Column("revision", BigInteger),
    Column("at", DateTime(timezone=True)),
)
n = T.c


class Note(Row):
    id: str
    text: str
    document: str | None
    revision: int
    at: datetime | None


@dataclass
class Somebody:
    subject: str


ann, bob = Somebody("ann"), Somebody("bob")
mine = n.owner_id == OWNER
the_one = n.id == bindparam("id")

PUT = statement(
    insert(T)
    .values(
        owner_id=OWNER,
        id=bindparam("id"),
        text=bindparam("text"),
        document=bindparam("document"),
        at=bindparam("at"),
        revision=1,
    )
    .returning(T),
    Note,
)
ADD = statement(insert(T).values(owner_id=OWNER, id=bindparam("id"), text="", revision=1).returning(n.id), Note)
GET = statement(select(T).where(mine, the_one), Note)
MANY = statement(select(T).where(mine, n.id == any_(bindparam("ids", type_=ARRAY(Id)))).order_by(n.id), Note)
BUMP = statement(update(T).where(mine, the_one).values(revision=n.revision + 1).returning(n.id, n.revision), Note)
ERASE = statement(delete(T).where(mine).returning(n.id), Note)
LOCK = statement(select(T).where(mine, the_one).with_for_update(), Note)
EVERYBODY = across_owners(select(n.owner_id, func.count().label("notes")).group_by(n.owner_id).order_by(n.owner_id))


@pytest.fixture(scope="module")
async def database_url(fresh_database):
    """Nobody else's, as its connections are counted and broken."""
    return await fresh_database()


@pytest.fixture
async def outside(database_url):
    """A plain connection beside the pool, to look and to break things with."""
    connection = await asyncpg.connect(dsn(database_url))
    await connection.execute(
        "CREATE TABLE notes_of_a_test (owner_id text NOT NULL, id uuid NOT NULL, text text NOT NULL,"
        " document json, revision bigint NOT NULL, at timestamptz,"
        " CONSTRAINT notes_pk PRIMARY KEY (owner_id, id))"
    )
    yield connection
    await connection.execute("DROP TABLE notes_of_a_test")
    await connection.close()


@pytest.fixture
def locked(database_url):
    """While it lasts, nobody else reads or writes the table."""

    @asynccontextmanager
    async def lock():
        connection = await asyncpg.connect(dsn(database_url))
        await connection.execute("BEGIN; LOCK TABLE notes_of_a_test")
        yield
        await connection.close()

    return lock


@pytest.fixture
def recorded():
    return []


@pytest.fixture(params=[True, False], ids=["prepared", "for PgBouncer"])
async def db(request, database_url, outside, recorded):
    database = Database(
        database_url,
        pool_size=3,
        statement_cache=request.param,
        on_commit=lambda owner, changes: recorded.append((owner, list(changes))),
    )
    yield database
    await database.close()


OURS = "pg_stat_activity WHERE application_name = 'colloquy' AND datname = current_database()"


async def breaks(outside):
    """Ends every connection of the pool from the server's side."""
    await outside.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM {OURS}")


async def connections(outside):
    return await outside.fetchval(f"SELECT count(*) FROM {OURS}")


async def waiting(outside, count):
    """Returns when so many connections of the pool wait for a lock."""
    while await outside.fetchval(f"SELECT count(*) FROM {OURS} AND wait_event_type = 'Lock'") != count:
        await asyncio.sleep(0.005)


async def test_what_goes_in_comes_out_as_plain_values(db):
    note, at = str(uuid4()), datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    document = '{"b": 1, "a":"\\u0000\\ud800", "b": 1e400}'
    put = await db.one(ann, PUT, id=note, text="hello", document=document, at=at)
    assert (put.id, put.text, put.document, put.revision, put.at) == (note, "hello", document, 1, at)
    assert type(put) is Note
    assert [row.id for row in await db.fetch(ann, MANY, ids=[note, str(uuid4())])] == [note]


async def test_nobody_sees_the_rows_of_another(db):
    note = str(uuid4())
    await db.one(ann, ADD, id=note)
    await db.one(bob, ADD, id=str(uuid4()))
    assert await db.one(bob, GET, id=note) is None
    assert await db.one(bob, BUMP, id=note) is None
    assert len(await db.fetch(bob, ERASE)) == 1
    assert (await db.one(ann, GET, id=note)).revision == 1


async def test_the_second_door_reads_all_owners(db):
    await db.one(bob, ADD, id=str(uuid4()))
    await db.one(ann, ADD, id=str(uuid4()))
    assert [tuple(row) for row in await db.fetch_across(EVERYBODY)] == [("ann", 1), ("bob", 1)]


@pytest.mark.parametrize("values", [{}, {"id": "x", "more": 1}, {"id": "x", "owner": "bob"}, {"ids": "x"}])
def test_values_are_given_by_name_and_the_owner_never(values):
    with pytest.raises(TypeError, match="takes id; see to: "):
        GET.bind("ann", **values)


async def test_a_commit_tells_where_sessions_moved(db, recorded):
    async with db.begin(ann) as tx:
        await tx.one(ADD, id=str(uuid4()))
        tx.record_change("one", 7)
        tx.record_change("two", 1)
        assert recorded == []
    assert recorded == [("ann", [Change("one", 7), Change("two", 1)])]
    db.record_change(bob, "three", 2)
    assert recorded[1:] == [("bob", [Change("three", 2)])]


async def writes_and_fails(db, note):
    async with db.begin(ann) as tx:
        await tx.one(ADD, id=note)
        tx.record_change(note, 1)
        raise LookupError


async def test_a_rollback_keeps_nothing_and_tells_nobody(db, recorded):
    note = str(uuid4())
    with pytest.raises(LookupError):
        await writes_and_fails(db, note)
    assert await db.one(ann, GET, id=note) is None
    assert recorded == []


async def swallows_a_violation(db, note):
    async with db.begin(ann) as tx:
        tx.record_change(note, 2)
        with pytest.raises(asyncpg.UniqueViolationError) as caught:
            await tx.one(ADD, id=note)
        assert failures.violates(caught.value, "notes_pk")


async def test_an_error_caught_inside_a_transaction_is_not_a_commit(db, recorded):
    note = str(uuid4())
    await db.one(ann, ADD, id=note)
    with pytest.raises(RuntimeError, match="nothing of it was kept"):
        await swallows_a_violation(db, note)
    assert recorded == []
    assert (await db.one(ann, GET, id=note)).revision == 1


async def test_a_killed_backend_is_replaced(db, outside):
    note = str(uuid4())
    await db.one(ann, ADD, id=note)
    for _ in range(5):
        await asyncio.gather(*(db.one(ann, GET, id=note) for _ in range(6)))
        await breaks(outside)
        rows = await asyncio.gather(*(db.one(ann, GET, id=note) for _ in range(6)))
        assert {row.id for row in rows} == {note}
    assert await connections(outside) == 3


async def test_a_read_that_loses_its_connection_is_tried_once_more(db, outside, locked):
    note = str(uuid4())
    await db.one(ann, ADD, id=note)
    async with locked():
        reading = asyncio.create_task(db.one(ann, GET, id=note))
        await waiting(outside, 1)
        await breaks(outside)
        await waiting(outside, 1)
    assert (await reading).id == note


async def test_a_write_that_loses_its_connection_is_not(db, outside, locked):
    note = str(uuid4())
    await db.one(ann, ADD, id=note)
    async with locked():
        writing = asyncio.create_task(db.one(ann, BUMP, id=note))
        await waiting(outside, 1)
        await breaks(outside)
        with pytest.raises(Exception, match=r"connection|terminat") as lost:
            await writing
    assert failures.connection_lost(lost.value)
    assert (await db.one(ann, GET, id=note)).revision == 1


async def test_cancelled_statements_leave_a_healthy_pool(db, outside, locked):
    note = str(uuid4())
    await db.one(ann, ADD, id=note)
    for _ in range(3):
        async with locked():
            tasks = [asyncio.create_task(bumps_in_a_transaction(db, note))]
            tasks += [asyncio.create_task(db.one(ann, BUMP, id=note)) for _ in range(6)]
            await waiting(outside, 3)
            for task in tasks:
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(answer) for answer in answers} == {asyncio.CancelledError}
    rows = await asyncio.gather(*(db.one(ann, GET, id=note) for _ in range(9)))
    assert {row.revision for row in rows} == {1}
    assert await connections(outside) <= 3


async def test_sqlalchemys_own_connections_find_room_beside_those_that_rest(db, outside):
    note = str(uuid4())
    await db.one(ann, ADD, id=note)
    await asyncio.gather(*(db.one(ann, GET, id=note) for _ in range(9)))
    for _ in range(4):
        async with db.pool.connection() as connection:
            assert await connection.scalar(select(literal(1))) == 1
    assert (db.pool.busy, await connections(outside) <= 3) == (0, True)


async def test_after_a_restart_of_the_server_sqlalchemys_own_connections_are_alive_as_well(db, outside):
    note = str(uuid4())
    await db.one(ann, ADD, id=note)
    await asyncio.gather(*(db.one(ann, GET, id=note) for _ in range(9)))
    async with db.pool.connection() as connection:
        assert await connection.scalar(select(literal(1))) == 1
    await breaks(outside)
    for _ in range(4):
        async with db.pool.connection() as connection:
            assert await connection.scalar(select(literal(1))) == 1
    assert (db.pool.busy, await connections(outside) <= 3) == (0, True)


async def bumps_in_a_transaction(db, note):
    async with db.begin(ann) as tx:
        await tx.one(BUMP, id=note)


async def test_too_many_at_once_are_turned_away(database_url, outside):
    db = Database(database_url, pool_size=1, acquire_timeout=0.05)
    async with db.begin(ann) as tx:
        with pytest.raises(TimedOut, match="more to do"):
            await db.one(ann, GET, id=str(uuid4()))
        await tx.fetch(ERASE)
    assert await db.one(ann, GET, id=str(uuid4())) is None
    await db.close()


async def test_connections_are_lent_in_the_order_asked(database_url, outside):
    db = Database(database_url, pool_size=1)
    order = []

    async def asks(number):
        await db.one(ann, ADD, id=str(uuid4()))
        order.append(number)

    async with db.begin(ann):
        tasks = [asyncio.create_task(asks(number)) for number in range(20)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == list(range(20))
    await db.close()


async def test_waits_are_bounded_by_the_server(db, outside):
    async with db._transaction() as driver:
        row = await driver.fetchrow(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),"
            " current_setting('idle_in_transaction_session_timeout'), current_setting('timezone')"
        )
    assert tuple(row) == ("5s", "15s", "30s", "UTC")


async def test_the_gate_lets_writers_of_a_session_through_one_by_one(db):
    order = []

    async def writes(viewer, number):
        async with db.session_queue(viewer, "session"):
            order.append(number)
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(*(writes(ann, number) for number in range(5)))
    assert order == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    async with db.session_queue(ann, "session"):
        await writes(bob, 5)
    assert not db._gates
