"""Migrations beside clients: no client fails, locks are weak or short, and an interrupted migration continues."""

import asyncio
import sys
import threading
from functools import partial

import asyncpg
import pytest

from app.db.operations import check, migrate, online, readiness
from harness.migration_clients import OWNER, clients, fill, until, watched_locks
from harness.postgres import dsn
from tests.support.databases import open_database

BEFORE = "0005"
BLOCKING = {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
LONG = ("update messages", "create index concurrently", "alter table messages validate")
INVALID = "select indexrelid::regclass::text from pg_index where not indisvalid"
TEMPORARY = "select relname from pg_class where relname like '%\\_0' and relkind = 'i'"
MIGRATING = "from pg_stat_activity where application_name = 'colloquy migrate' and datname = current_database()"
REPLICA = """
import sys
from app.db.operations import migrate
migrate.upgrade(sys.argv[1], report=lambda line: print(line, flush=True))
"""
HALF_DONE = """
create unique index messages_changes_0 on messages (owner_id, session_id, revision) where revision is not null;
drop index messages_changes
"""


@pytest.fixture
async def at_revision(empty_database):
    """`await at_revision("0005", sessions, messages)`: the URL of a database there, and a connection to it."""
    connections = []

    async def make(revision, sessions=20, messages=500):
        url = await empty_database()
        await asyncio.to_thread(migrate.upgrade, url, revision)
        connections.append(await asyncpg.connect(dsn(url)))
        await fill(connections[-1], sessions, messages)
        return url, connections[-1]

    yield make
    for connection in connections:
        connection.terminate()


@pytest.fixture
async def another():
    """`await another(url)`: one more connection."""
    connections = []

    async def connect(url):
        connections.append(await asyncpg.connect(dsn(url)))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.terminate()


def upgrading(url, to="head"):
    """The upgrade in a thread, and the lines that it reports."""
    lines = []
    return asyncio.create_task(asyncio.to_thread(migrate.upgrade, url, to, report=lines.append)), lines


async def violated(url):
    db = open_database(url, pool_size=1)
    found = {rule: rows async for rule, rows in check.violations(db) if rows}
    await db.close()
    return found


async def test_the_newest_migrations_do_not_disturb_clients(at_revision):
    """Clients as the programs before these migrations are: today's program needs what the migrations add."""
    url, connection = await at_revision(BEFORE, 40, 1_500)
    async with clients(url) as people:
        async with watched_locks(url) as locks:
            await asyncio.to_thread(migrate.upgrade, url, "0014")
        # These add columns and an empty table: they lock for a moment, whatever the number of rows.
        await asyncio.to_thread(migrate.upgrade, url, "0018")
        async with watched_locks(url) as later_locks:
            await asyncio.to_thread(migrate.upgrade, url)
    assert (people.failures, people.done > 0) == ([], True)
    for (session, sequence), text in people.written.items():
        assert text == await connection.fetchval(
            "select text from messages where session_id = $1 and sequence = $2", session, sequence
        )
    assert await connection.fetch(INVALID) == await connection.fetch(TEMPORARY) == []
    assert await violated(url) == {}
    assert ("messages", "ShareUpdateExclusiveLock") in {(table, mode) for table, _, mode in locks}
    assert {(statement, mode) for _, statement, mode in [*locks, *later_locks] if mode in BLOCKING} == set()


async def test_0004_does_not_disturb_clients_and_makes_messages_searchable(at_revision):
    url, connection = await at_revision("0003", 40, 1_000)
    async with clients(url) as people, watched_locks(url) as locks:
        await asyncio.to_thread(migrate.upgrade, url, "0004")
    assert (people.failures, people.done > 0) == ([], True)
    for (session, sequence), text in people.written.items():
        assert text == await connection.fetchval(
            "select text from messages where session_id = $1 and sequence = $2", session, sequence
        )
    wordless = await connection.fetchval("select count(*) from messages where tsv is null and sequence <= 1000")
    found = await connection.fetchval("select count(*) from messages where tsv @@ $1::text::tsquery", "'@crowd' & fox")
    assert wordless == 0
    assert found >= 40 * 999  # each but the first of a session, which is edited
    assert await connection.fetchval("select bool_and(convalidated) from pg_constraint")
    long = {(" ".join(statement.split()[:4]), mode) for _, statement, mode in locks if statement.startswith(LONG)}
    assert {"update messages set tsv", "create index concurrently if"} <= {statement for statement, _ in long}
    assert {mode for _, mode in long} & BLOCKING == set()


async def test_a_migration_killed_during_an_index_build_continues(at_revision, another):
    url, connection = await at_revision(BEFORE)
    writer = await another(url)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("update messages set metadata = '{}' where sequence = 1")  # an index waits for its end
    first, _ = upgrading(url)
    await until(lambda: connection.fetch(INVALID))
    await connection.execute(f"select pg_terminate_backend(pid) {MIGRATING}")
    with pytest.raises(migrate.MigrationError, match="terminating connection"):
        await first
    assert [row[0] for row in await connection.fetch(INVALID)] == ["messages_deleted"]
    await writing.rollback()
    await asyncio.to_thread(migrate.upgrade, url)
    assert await connection.fetch(INVALID) == await connection.fetch(TEMPORARY) == []
    assert await connection.fetchval("select version_num from alembic_version") == readiness.expected_revision()


async def test_a_complete_index_of_an_interrupted_migration_is_kept(at_revision):
    url, connection = await at_revision(BEFORE)
    await connection.execute(HALF_DONE)
    built = await connection.fetchval("select 'messages_changes_0'::regclass::oid")
    await asyncio.to_thread(migrate.upgrade, url)
    assert await connection.fetchval("select 'messages_changes'::regclass::oid") == built


async def test_a_migration_killed_between_two_batches_continues(at_revision, monkeypatch):
    url, connection = await at_revision("0003")
    slow = online.UPDATE.template.replace("where ctid", "where (select pg_sleep(0.5)) is not null and ctid")
    with monkeypatch.context() as slowed:
        slowed.setattr(online, "UPDATE", type(online.UPDATE)(slow))
        first, _ = upgrading(url, "0004")
        filled = "select count(*) from messages where tsv is not null"
        await until(lambda: column_exists(connection, "tsv"))
        await until(lambda: connection.fetchval(filled))
        await connection.execute(f"select pg_terminate_backend(pid) {MIGRATING}")
        with pytest.raises(migrate.MigrationError):
            await first
    assert 0 < await connection.fetchval(filled) < 20 * 500
    await connection.execute("update messages set tsv = null where sequence = 7")  # as if written by an older program
    await asyncio.to_thread(migrate.upgrade, url, "0004")
    assert await connection.fetchval(filled) == 20 * 500


async def column_exists(connection, name):
    query = "select true from pg_attribute where attrelid = 'messages'::regclass and attname = $1"
    return await connection.fetchval(query, name)


async def test_rows_that_a_client_has_locked_are_changed_after_its_transaction(at_revision, another, monkeypatch):
    url, connection = await at_revision("0003")
    update_all, held = online._update_all, threading.Event()
    monkeypatch.setattr(online, "_update_all", lambda *what: held.wait() and update_all(*what))
    upgrade, lines = upgrading(url, "0004")
    await until(lambda: column_exists(connection, "tsv"))
    holder = await another(url)
    holding = holder.transaction()
    await holding.start()
    await holder.execute("select from messages where sequence = 3 for update")
    held.set()
    await until(lambda: has_line(lines, "A lock is not free"))
    waiting = await connection.fetch("select sequence from messages where tsv is null group by 1")
    assert [row["sequence"] for row in waiting] == [3]
    await holding.rollback()
    await upgrade
    assert await connection.fetchval("select count(*) from messages where tsv is null") == 0


async def has_line(lines, beginning):
    return any(line.startswith(beginning) for line in lines)


async def test_clients_pass_a_migration_that_waits_for_a_strong_lock(at_revision, another):
    url, connection = await at_revision("0003")
    reader = await another(url)
    reading = reader.transaction()
    await reading.start()
    await reader.execute("select from messages limit 1")  # as a dump does, for hours
    upgrade, lines = upgrading(url, "0004")
    for attempt in (1, 2):
        await until(partial(has_lines, lines, attempt))
        await connection.execute("update messages set text = 'Hello' where owner_id = $1 and sequence = 1", OWNER)
        await connection.fetch("select from messages limit 1")
    assert not upgrade.done()
    await reading.rollback()
    await upgrade
    assert await connection.fetchval("table alembic_version") == "0004"


async def has_lines(lines, number):
    return sum(line.startswith("A lock is not free") for line in lines) >= number


async def test_a_waiting_replica_does_not_block_the_one_that_migrates(at_revision, another):
    url, connection = await at_revision(BEFORE)
    writer = await another(url)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("update messages set metadata = '{}' where sequence = 1")
    first, _ = upgrading(url)
    await until(lambda: connection.fetch(INVALID))
    line = [sys.executable, "-c", REPLICA, url]  # Alembic has one migration in a process
    second = await asyncio.create_subprocess_exec(*line, stdout=asyncio.subprocess.PIPE)
    assert (await second.stdout.readline()).startswith(b"Another process migrates")
    await until(lambda: connection.fetchval(f"select true {MIGRATING} and state = 'idle'"))
    [waiting] = await connection.fetch(f"select backend_xid, backend_xmin, xact_start {MIGRATING} and state = 'idle'")
    assert list(waiting) == [None, None, None]
    blockers = await connection.fetchval(f"select pg_blocking_pids(pid) {MIGRATING} and state = 'active'")
    assert blockers == [writer.get_server_pid()]
    await writing.rollback()
    await first
    assert await second.wait() == 0
    assert await connection.fetch(INVALID) == await connection.fetch(TEMPORARY) == []


async def test_a_long_wait_is_reported_with_the_process_that_causes_it(at_revision, another, monkeypatch):
    monkeypatch.setattr(migrate, "WATCH_SECONDS", 0.1)
    url, _ = await at_revision(BEFORE)
    writer = await another(url)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("update messages set metadata = '{}' where sequence = 1")
    upgrade, lines = upgrading(url)
    await until(lambda: has_line(lines, f"It waits for process {writer.get_server_pid()} (idle in transaction"))
    await writing.rollback()
    await upgrade
