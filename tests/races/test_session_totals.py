"""Totals of sessions that are counted while sessions change: every read is exact."""

import asyncio
from itertools import count, cycle

import asyncpg
import pytest

from app.db import session_totals
from harness.postgres import dsn

TOTALS = """{ viewer { unreadSessionCount stats {
  sessionCount activeSessionCount archivedSessionCount messageCount sessionsByAgentType { agentType count activeCount } } }
  sessions { totalCount } archived: sessions(filter: {archived: true}) { totalCount } }"""
EXPECTED = """
select count(*) as "sessionCount",
       count(*) filter (where status in ('PENDING', 'ACTIVE') and archived_at is null) as "activeSessionCount",
       count(*) filter (where archived_at is not null) as "archivedSessionCount",
       coalesce(sum(message_count), 0) as "messageCount",
       count(*) filter (where unread_count > 0 and archived_at is null) as unread
from sessions where owner_id = $1 and deleted_at is null
"""
COUNTED = "select count(*) from counted_sessions where owner_id = $1"


@pytest.fixture
async def database(database_url):
    connection = await asyncpg.connect(dsn(database_url))
    yield connection
    await connection.close()


@pytest.fixture(params=[1, 3, 2_000])
def batches(request, monkeypatch):
    """Every reader counts, in small batches."""
    monkeypatch.setattr(session_totals, "MANY_CHANGED", 0)
    monkeypatch.setattr(session_totals, "BATCH_SIZE", request.param)


async def until_counted(user, database, number):
    """Reads until so many sessions are counted: a transaction elsewhere on the PostgreSQL of all tests delays it."""
    while await database.fetchval(COUNTED, user.name) < number:
        await user.asks(TOTALS)
        await asyncio.sleep(0.05)


async def assert_exact(user, database):
    found, expected = await user.asks(TOTALS), dict(await database.fetchrow(EXPECTED, user.name))
    stats, unread = found["viewer"]["stats"], found["viewer"]["unreadSessionCount"]
    types = stats.pop("sessionsByAgentType")
    assert stats | {"unread": unread} == expected
    assert sum(row["count"] for row in types) <= expected["sessionCount"]
    listed = expected["sessionCount"] - expected["archivedSessionCount"]
    assert (found["sessions"]["totalCount"], found["archived"]["totalCount"]) == (
        listed,
        expected["archivedSessionCount"],
    )


async def lives(user, number):
    """The life of a session; some are erased at its end."""
    kind = {"agentType": f"type {number % 3}"} if number % 4 else {}
    session = await user.creates_session(f"{number}", **kind)
    await user.appends(session, "question")
    await user.appends(session, "answer", role="ASSISTANT")
    await user.does("markSessionRead", id=session, upToSequence=2)
    await user.appends(session, "more", role="ASSISTANT")
    await user.does("archiveSession", id=session)
    await user.does("restoreSession", id=session)
    if number % 3 == 0:
        await user.does("deleteSession", id=session, mode="HARD")
    elif number % 3 == 1:
        await user.does("deleteSession", id=session, mode="SOFT")


async def test_totals_are_exact_after_a_race_of_writers_and_counts(ann, bob, database, batches):
    users = cycle((ann, bob))
    writers = [lives(next(users), number) for number in range(16)]
    readers = [user.asks(TOTALS) for user in (ann, bob) for _ in range(24)]
    await asyncio.gather(*writers, *readers)
    for user in (ann, bob):
        await assert_exact(user, database)
        await assert_exact(user, database)
        await until_counted(user, database, 1)


async def test_a_change_that_commits_after_a_count_is_not_lost(ann, bob, database, batches):
    """The transaction began before that of the count, and ends after it."""
    held, other = await ann.creates_session("held"), await ann.creates_session("other")
    await ann.appends(held, "one")
    await assert_exact(ann, database)
    async with database.transaction():
        query = "update sessions set title = 'late', archived_at = now() where owner_id = $1 and title = 'held'"
        await database.execute(query, ann.name)
        await ann.appends(other, "beside")
        for _ in range(3):
            found = await ann.asks(TOTALS)
            assert found["viewer"]["stats"]["archivedSessionCount"] == 0
            assert found["viewer"]["stats"]["messageCount"] == 2
    assert (await ann.asks(TOTALS))["viewer"]["stats"]["archivedSessionCount"] == 1
    await assert_exact(ann, database)
    assert (await bob.asks(TOTALS))["viewer"]["stats"]["sessionCount"] == 0


async def test_another_cluster_counts_from_the_start(ann, database, batches):
    for number in range(5):
        await ann.appends(await ann.creates_session(), f"{number}")
    await assert_exact(ann, database)
    await database.execute("update count_positions set epoch = 1, xid = '999999999' where owner_id = $1", ann.name)
    await ann.creates_session()
    for _ in range(3):
        await assert_exact(ann, database)
    assert await database.fetchval("select epoch from count_positions where owner_id = $1", ann.name) != 1


async def test_reading_totals_does_not_touch_sessions_that_have_been_counted(ann, database, monkeypatch):
    monkeypatch.setattr(session_totals, "MANY_CHANGED", 3)
    for _ in range(4):
        await ann.creates_session()
    await ann.asks("{ viewer { unreadSessionCount } }")
    await until_counted(ann, database, 4)
    session = await ann.creates_session()
    await ann.does("deleteSession", id=session, mode="HARD")
    await ann.asks("{ viewer { unreadSessionCount } }")
    await until_counted(ann, database, 4)
    await assert_exact(ann, database)


@pytest.mark.parametrize("directive", ["", '@idempotent(key: "{0}")'])
async def test_writes_under_the_cap_count_what_they_have_read(ann, bob, database, monkeypatch, directive):
    """Nobody reads totals here. A transaction elsewhere on the PostgreSQL of all tests delays the count."""
    monkeypatch.setattr(session_totals, "MANY_CHANGED", 3)

    async def creates(user, number):
        create = 'createSession(input: {agentType: "helper"})'
        await user.asks(f"mutation {{ {create} {directive.format(number)} {{ session {{ id }} }} }}")

    for number in count():
        await creates(ann, number)
        if await database.fetchval(COUNTED, ann.name):
            break
        await asyncio.sleep(0.05)
    assert number >= 4
    await creates(bob, 0)
    assert not await database.fetchval(COUNTED, bob.name)
    await assert_exact(ann, database)
