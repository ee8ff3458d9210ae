"""A transaction held open beside the server: revisions become visible in order, so no reader skips one."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg

from harness import citus
from harness.postgres import dsn
from tests.support.users import error

LOCK = "select head from sessions where owner_id = $1 and id = $2::uuid for update"
# An append by hand: the numbers are assigned, and not committed yet.
TAKE = """
update sessions set last_sequence = last_sequence + 1, message_count = message_count + 1, head = head + 1
where owner_id = $1 and id = $2::uuid returning last_sequence, head
"""
ADD = """
insert into messages (owner_id, session_id, sequence, created_revision, revision, role, text, metadata)
values ($1, $2::uuid, $3, $4, $4, 'USER', 'held back', '{}')
"""
WAITING = f"select count(*) from {citus.ACTIVITY} where datname = current_database() and wait_event_type = 'Lock'"


@asynccontextmanager
async def open_transaction(database_url):
    """An open transaction, committed at the end."""
    connection = await asyncpg.connect(dsn(database_url))
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


def texts(events):
    return [event["message"]["text"] for event in events if event["__typename"] == "MessageAdded"]


async def until_blocked(connection):
    """Returns once a writer waits for the lock."""
    while not await connection.fetchval(WAITING):
        await asyncio.sleep(0.01)


async def row_of(user, session):
    """The session's id in the database, which is part of the event cursor."""
    return (await user.sees(session, "eventCursor"))["eventCursor"].split(".")[1]


async def test_session_events_do_not_skip_a_revision_that_commits_late(ann, database_url):
    session = await ann.creates_session("Held")
    async with ann.follows(session) as events:
        await events.until("CaughtUp")
        cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
        async with open_transaction(database_url) as transaction:
            row = await row_of(ann, session)
            sequence, head = await transaction.fetchrow(TAKE, ann.name, row)
            await transaction.execute(ADD, ann.name, row, sequence, head)
            late = asyncio.create_task(ann.appends(session, "behind"))
            await until_blocked(transaction)
            assert [event["__typename"] for event in await ann.replays(session, cursor)] == ["CaughtUp"]
            assert not late.done()
        assert await late == {"sequence": 2, "text": "behind"}
        live = await events.until("MessageAdded")
        while len(texts(live)) < 2:
            live += await events.until("MessageAdded")
    assert texts(live) == ["held back", "behind"]
    assert texts(await ann.replays(session, cursor)) == ["held back", "behind"]


async def test_a_transaction_in_another_session_blocks_no_writer(ann, database_url):
    busy, free = await ann.creates_session("Busy"), await ann.creates_session("Free")
    async with open_transaction(database_url) as transaction:
        await transaction.fetch(LOCK, ann.name, await row_of(ann, busy))
        cursor = (await ann.sees(free, "eventCursor"))["eventCursor"]
        await asyncio.gather(*(ann.appends(free, f"{n}") for n in range(8)))
        assert sorted(texts(await ann.replays(free, cursor))) == [f"{n}" for n in range(8)]


async def test_a_rolled_back_append_leaves_no_gap(ann, database_url):
    session = await ann.creates_session("Back")
    connection = await asyncpg.connect(dsn(database_url))
    transaction = connection.transaction()
    await transaction.start()
    await connection.fetch(TAKE, ann.name, await row_of(ann, session))
    waiting = asyncio.create_task(ann.appends(session, "first"))
    await until_blocked(connection)
    assert await ann.sees(session, "messageCount") == {"messageCount": 0}  # a read does not wait
    await transaction.rollback()
    await connection.close()
    assert await waiting == {"sequence": 1, "text": "first"}


async def test_a_writer_that_waits_too_long_for_a_session_gets_a_conflict(ann, database_url):
    session = await ann.creates_session("Stuck")
    async with open_transaction(database_url) as transaction:
        await transaction.fetch(LOCK, ann.name, await row_of(ann, session))
        assert await ann.appends(session, "x") == error("CONFLICT")
    assert await ann.appends(session, "x") == {"sequence": 1, "text": "x"}
