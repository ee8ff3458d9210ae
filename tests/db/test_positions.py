"""Which statements a standby can run, how requests share a question to the primary, and what Citus cannot do."""

import asyncio
from time import monotonic

import pytest

from app.db import message, session, session_totals, stats, viewer_changes
from app.db.access.database import Database
from app.db.access.engine import DatabaseEngine
from app.db.access.positions import PrimaryPositions
from app.db.access.standbys import ON_CITUS, Standbys, runs_on_standbys
from harness.postgres import connected
from harness.server_settings import settings_for
from tests.support.databases import open_database

READS = [session.BY_IDS, message.BY_MESSAGE_KEYS, stats.OF_OWNER]
ABOUT_THE_PRIMARY = [session_totals.READ, viewer_changes.HORIZON, viewer_changes.CHANGES]
WRITES = [session.CREATE, session.LOCK, session.FOR_UPDATE]


@pytest.mark.parametrize("statement", READS, ids=str)
def test_a_read_of_rows_may_run_on_a_standby(statement):
    assert runs_on_standbys(statement)


@pytest.mark.parametrize("statement", [*ABOUT_THE_PRIMARY, *WRITES], ids=str)
def test_a_statement_about_the_primary_or_that_writes_or_locks_may_not(statement):
    assert not runs_on_standbys(statement)


class Asked(Database):
    """Counts the questions, which wait until they are `released`."""

    def __init__(self, url, **options):
        super().__init__(url, **options)
        self.questions, self.released = 0, asyncio.Event()

    async def look(self, query):
        self.questions += 1
        await self.released.wait()
        return await super().look(query)


async def test_waiting_requests_share_a_question_that_began_after_their_call(database_url):
    db = Asked(database_url, **settings_for(database_url).database_options)
    positions = PrimaryPositions(db, lambda: None)
    early = asyncio.create_task(positions.needed())
    while not db.questions:
        await asyncio.sleep(0)
    late = [asyncio.create_task(positions.needed()) for _ in range(20)]
    await asyncio.sleep(0)
    async with connected(database_url) as connection:
        await connection.execute("create table written (n int)")
        end = await connection.fetchval("select (pg_current_wal_flush_lsn() - '0/0')::bigint")
    db.released.set()
    await early
    assert {(await each).written >= end for each in late} == {True}
    assert db.questions == 2
    await positions.close()
    await db.close()


async def test_many_requests_a_second_ask_few_questions(database_url):
    """Each request begins after the one before has its answer, so it needs a new one: only the pause limits these."""
    db = Asked(database_url, **settings_for(database_url).database_options)
    db.released.set()
    positions, began = PrimaryPositions(db, lambda: None, gather=0.02), monotonic()
    for _ in range(20):
        found = await asyncio.gather(*(positions.needed() for _ in range(5)))
        assert len(set(found)) == 1
    assert 20 == db.questions <= 1 + (monotonic() - began) / 0.019
    await positions.close()
    await db.close()


async def test_a_transaction_that_has_not_ended_is_not_confirmed(database_url):
    db = open_database(database_url)
    positions = PrimaryPositions(db, lambda: None)
    needed = await positions.needed()
    async with connected(database_url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        xid = int(await connection.fetchval("select pg_current_xact_id()::text"))
        assert not await positions.confirm(xid + 1, needed.timeline)
        await transaction.commit()
    assert await positions.confirm(xid + 1, needed.timeline)
    assert not await positions.confirm(xid + 1, needed.timeline + 1)
    await positions.close()
    await db.close()


async def test_a_primary_that_does_not_answer_has_no_position():
    db = open_database("postgresql://nobody@127.0.0.1:1/none")
    positions = PrimaryPositions(db, lambda: None)
    assert await positions.needed() is None
    assert not await positions.confirm(1, 1)
    await db.close()


async def test_citus_is_refused_in_words(database_url):
    db = open_database(database_url)
    standbys = Standbys(db, [database_url], timeout=1, **settings_for(database_url).database_options)
    for engine, refused in ((None, None), (DatabaseEngine(), None), (DatabaseEngine("13.2-1", 13), ON_CITUS)):
        db.pool.database_engine = engine
        assert standbys.unusable == refused
    await db.close()
