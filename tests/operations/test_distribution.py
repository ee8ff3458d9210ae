"""`colloquy migrate --distribute`: on PostgreSQL it explains itself; on a cluster of Citus it moves tables and rows."""

import asyncio

import pytest
from sqlalchemy.engine import make_url

from app.db.access.engine import POSTGRESQL, DatabaseEngine
from app.db.operations import distribution, migrate, readiness
from app.db.operations.migrate import MigrationError
from app.db.tables import metadata
from harness import citus
from harness.migration_clients import until
from harness.postgres import at, connected
from harness.server_settings import settings_for
from tests.live.test_session_events import NO_POLL, kinds
from tests.support.databases import open_database
from tests.support.servers import serving

on_citus = pytest.mark.skipif(citus.cluster_url() is None, reason=citus.NOT_TESTED)
ALL = len(metadata.tables)
PLACEMENT = """
select shardid, nodename, nodeport from citus_shards
where table_name = 'agents'::regclass and shardid = get_shard_id_for_distribution_column('agents', $1::text)
"""
OTHER_NODE = "select nodename, nodeport from pg_dist_node where shouldhaveshards and nodeport <> $1"
MOVE = "select citus_move_shard_placement($1, $2, $3, $4, $5, 'block_writes')"


async def change_node(url, owner):
    """Moves the owner's rows to another node."""
    async with connected(url) as connection:
        shard, host, port = await connection.fetchrow(PLACEMENT, owner)
        target = await connection.fetchrow(OTHER_NODE, port)
        await connection.execute(MOVE, shard, host, port, *target)


async def test_postgresql_has_no_nodes_to_distribute_to(database_server, empty_database):
    url = await empty_database()
    if citus.cluster_url():
        pytest.skip("this server is Citus")
    with pytest.raises(MigrationError, match="no extension citus"):
        await asyncio.to_thread(distribution.distribute, url)


@pytest.mark.parametrize(
    ("engine", "role", "reason"),
    [
        (POSTGRESQL, "colloquy_server", None),
        (DatabaseEngine("13.2-1"), "colloquy_server", None),
        (DatabaseEngine("13.2-1", ALL), None, None),
        (DatabaseEngine("13.2-1", ALL), "colloquy_server", "row-level security"),
        (DatabaseEngine("13.2-1", 3), None, f"3 of {ALL} tables are distributed"),
    ],
)
def test_a_state_that_cannot_serve_is_named(engine, role, reason):
    found = engine.unusable(role)
    assert found is None if reason is None else reason in found


def test_only_a_database_with_all_tables_distributed_is_routed():
    assert [DatabaseEngine("13", number).routes for number in (0, ALL - 1, ALL)] == [False, False, True]


@on_citus
async def test_rows_move_to_the_nodes_and_a_second_run_changes_nothing(empty_database):
    url, lines = await empty_database(), list[str]()
    await asyncio.to_thread(migrate.upgrade, url)
    async with serving(settings_for(url)) as server:
        ann = server.user("ann")
        session = await ann.creates_session("Before")
        await ann.appends(session, "one")
    await asyncio.to_thread(distribution.distribute, url, report=lines.append)
    assert len([line for line in lines if "its rows are on the nodes" in line]) == ALL
    lines.clear()
    await asyncio.to_thread(distribution.distribute, url, report=lines.append)
    assert lines == []
    async with serving(settings_for(url)) as server:
        ann, bob = server.user("ann"), server.user("bob")
        await ann.appends(session, "two")
        assert (await ann.sees(session, "title messageCount")) == {"title": "Before", "messageCount": 2}
        assert await bob.sees(session, "title") is None
        answer = (await server.http.get(f"{server.url}/readyz")).json()
        assert answer["engine"]["name"].startswith("Citus ")
        assert len(answer["engine"]["nodes"]) == len(await citus.nodes_of(citus.cluster_url())) - 1
    db = open_database(url)
    try:
        assert await readiness.unready(db) is None
        assert db.routes
    finally:
        await db.close()


@on_citus
async def test_a_migration_goes_down_and_up_on_distributed_tables(fresh_database):
    url = await fresh_database()
    await asyncio.to_thread(migrate.downgrade, url, "0015")
    await asyncio.to_thread(migrate.upgrade, url)
    await asyncio.to_thread(distribution.distribute, url)
    async with serving(settings_for(url)) as server:
        assert await server.user("ann").creates_session("After")


@on_citus
async def test_a_moved_shard_resets_the_viewers_events_and_keeps_those_of_sessions(fresh_database):
    url = await fresh_database()
    async with serving(settings_for(url)) as server:
        ann = server.user("ann")
        session = await ann.creates_session("Moves")
        viewer, cursor = await ann.now(), (await ann.sees(session, "eventCursor"))["eventCursor"]
        async with ann.watches(viewer) as stream:
            await stream.until("CaughtUp")
            await change_node(url, ann.name)
            await ann.appends(session, "after the move")
            [*_, reset] = await stream.until("StreamReset")
            assert reset["reason"] == "CURSOR_UNKNOWN"
        assert kinds(await ann.replays(session, cursor))[-2:] == ["MessageAdded", "CaughtUp"]
        assert kinds(await ann.catches_up(viewer))[0] == "StreamReset"


async def on_worker(url):
    """The URL of the same database on a node that is not the coordinator."""
    return at((await citus.nodes_of(citus.cluster_url()))[1], url.rsplit("/", 1)[1])


@on_citus
async def test_a_server_on_a_worker_serves_the_same_rows_and_cursors_and_polls(fresh_database):
    url = await fresh_database()
    async with serving(settings_for(url)) as server, serving(settings_for(await on_worker(url))) as elsewhere:
        ann, there, bob = server.user("ann"), elsewhere.user("ann"), elsewhere.user("bob")
        session = await there.creates_session("On a worker")
        viewer, cursor = await ann.quiet_cursor(), (await ann.sees(session, "eventCursor"))["eventCursor"]
        answer = (await elsewhere.http.get(f"{elsewhere.url}/readyz")).json()
        assert (answer["reasons"], answer["engine"]["name"].split()[0]) == ([], "Citus")
        [degraded] = answer["degraded"]
        assert (
            "a worker of Citus; set DATABASE_DIRECT_URL to the coordinator, or REDIS_URL; live readers poll" in degraded
        )
        async with there.follows(session) as stream:
            await stream.until("CaughtUp")
            await ann.appends(session, "on the coordinator")
            assert (await stream.until("MessageAdded"))[-1]["message"]["text"] == "on the coordinator"
        assert kinds(await there.replays(session, cursor))[-2:] == ["MessageAdded", "CaughtUp"]
        assert kinds(await there.catches_up(viewer)) == ["SessionChanged", "CaughtUp"]
        assert await bob.sees(session, "title") is None


@on_citus
async def test_wake_ups_on_the_coordinator_reach_servers_on_workers(fresh_database):
    url = await fresh_database()
    settings = settings_for(await on_worker(url), database_direct_url=url)
    async with serving(settings_for(url), NO_POLL) as server, serving(settings, NO_POLL) as elsewhere:
        await server.ready()
        await elsewhere.ready()
        session = await server.user("ann").creates_session("Everywhere")
        async with elsewhere.user("ann").follows(session) as stream:
            await stream.until("CaughtUp")
            await server.user("ann").appends(session, "on the coordinator")
            assert (await stream.until("MessageAdded"))[-1]["message"]["text"] == "on the coordinator"


@on_citus
async def test_tables_are_distributed_from_the_coordinator_only(fresh_database):
    with pytest.raises(MigrationError, match="leads to a worker"):
        await asyncio.to_thread(distribution.distribute, await on_worker(await fresh_database()))


@on_citus
async def test_a_database_without_clients_has_no_processes_once_another_is_created(fresh_database):
    url = await fresh_database()

    async def processes():
        name = make_url(url).database
        async with connected(citus.cluster_url()) as admin:
            return await admin.fetchval("select count(*) from pg_stat_activity where datname = $1", name)

    async with connected(url) as client:
        await client.fetchval("select count(*) from sessions")
        await fresh_database()
        assert await client.fetchval("select count(*) from sessions") == 0
    await until(processes)  # the daemon
    await fresh_database()
    assert await processes() == 0
