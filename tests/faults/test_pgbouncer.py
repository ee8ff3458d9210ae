"""Behind PgBouncer in transaction mode: more clients than connections, and each transaction on any of them."""

import asyncio

import asyncpg

from app.db.operations import sweep
from app.sweeper import retention, sweep_once
from harness.pgbouncer import pgbouncer
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.support.databases import open_database
from tests.support.invariants import assert_nothing_broken
from tests.support.servers import serving
from tests.support.users import error

CONNECTIONS, CLIENTS, ROUNDS = 3, 8, 6
BACKENDS = (
    "select count(*) from pg_stat_activity where datname = current_database() and backend_type = 'client backend'"
    " and application_name not like 'citus%'"  # connections of the nodes
)


async def converse(user, name):
    """Appends, edits and reads in a new session; returns the sequences of its messages."""
    session = await user.creates_session(f"Behind the pooler {name}", agentType=f"type {name}")
    sequences = []
    for number in range(ROUNDS):
        message = {"role": "USER", "text": f"{name}.{number}", "agentKey": f"agent {number}"}
        payload = await user.does("appendMessages", "messages { sequence }", sessionId=session, messages=[message] * 2)
        sequences += [message["sequence"] for message in payload["messages"]]
        sequences.append((await user.appends(session, f"{name} alone"))["sequence"])
        await user.does("updateSession", id=session, title=f"{name} after {number}")
        seen = await user.sees(session, "title messages(last: 3) { nodes { text agent { key } } }")
        assert seen["title"] == f"{name} after {number}"
        assert [node["text"] for node in seen["messages"]["nodes"]] == [f"{name}.{number}"] * 2 + [f"{name} alone"]
    return sequences


async def follow(user, session, started):
    """The texts that a subscription receives, up to the last one."""
    texts = []
    async with user.follows(session) as live:
        await live.until("CaughtUp")
        started.set()
        while "the end" not in texts:
            texts.append((await live.until("MessageAdded"))[-1]["message"]["text"])
    return texts


async def test_everything_works_on_three_connections_of_a_transaction_pooler(fresh_database):
    direct = await fresh_database()
    with pgbouncer(direct, size=CONNECTIONS) as url:
        settings = settings_for(url, database_direct_url=direct, statement_cache=0, pool_size=CLIENTS)
        async with serving(settings) as server:
            await server.ready()
            ann, bob = server.user("ann"), server.user("bob")
            watched, started = await ann.creates_session("Watched", status="ACTIVE"), asyncio.Event()
            following = asyncio.create_task(follow(ann, watched, started))
            await started.wait()
            *sequences, _ = await asyncio.gather(
                *(converse(ann, str(n)) for n in range(CLIENTS)), sweep_often(settings)
            )
            for number in range(ROUNDS):
                await ann.appends(watched, str(number))
            assert await bob.appends(watched, "mine") == error("NOT_FOUND", field="sessionId")
            await ann.appends(watched, "the end")
            assert await following == [*map(str, range(ROUNDS)), "the end"]
            assert sequences == [list(range(1, 3 * ROUNDS + 1))] * CLIENTS
            connection = await asyncpg.connect(dsn(direct))
            assert await connection.fetchval(BACKENDS) <= CONNECTIONS + 2  # the bus's own connection, and this one
            await connection.close()
    await assert_nothing_broken(direct)


async def sweep_often(settings):
    """A lock that stayed behind on one of the pooler's connections would end all sweeping."""
    db = open_database(settings.database_url, pool_size=4, statement_cache=0)
    for _ in range(ROUNDS):
        assert await sweep_once(db, retention(settings)) is not None
    async with sweep.exclusive(db) as first, sweep.exclusive(db) as second:
        assert (first, second) == (True, False)
    await db.close()
