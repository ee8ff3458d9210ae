"""A node of Citus crashes, or shards move, under load: nothing is lost or stored twice, and owners elsewhere go on."""

import asyncio
import contextlib

import asyncpg
import pytest

from harness import citus
from harness.forked_server import exit_code_of
from harness.postgres import at, connected
from tests.faults.test_failover import kinds, texts, until_the_end
from tests.faults.test_kill import Client, all_messages, assert_exactly_once, ended, until_acknowledged
from tests.operations.test_distribution import MOVE, OTHER_NODE, PLACEMENT, on_citus
from tests.support.servers import server_process

OWNERS, CRASHES = [f"owner{number}" for number in range(8)], 3
CRASH = "copy (select 1) to program 'kill -9 $PPID'"
"""Kills the process that runs it: PostgreSQL ends all others of the node, and recovers."""
REBALANCE = "select citus_rebalance_start(shard_transfer_mode := 'auto')"
pytestmark = [on_citus, pytest.mark.timeout(300), pytest.mark.xdist_group("faults")]


class Load:
    """Owners with a session each, who append with keys from `start` to `end`."""

    def __init__(self, server):
        self.server, self.clients, self.writing = server, [], []

    async def prepare(self):
        """Creates the sessions; returns the client that the test follows."""
        for name in OWNERS:
            user = self.server.user(name)
            self.clients.append(Client([user], await user.creates_session(name), name))
        return self.clients[0]

    def start(self):
        self.writing = [asyncio.create_task(client.write()) for client in self.clients]

    async def end(self):
        """The messages of every owner, once all appends have ended and every one is stored exactly once."""
        await asyncio.gather(ended(self.clients, self.writing), self.server.ready())
        stored = {}
        for client in self.clients:
            stored[client.name] = await all_messages(client.user, client.session)
            assert_exactly_once(stored[client.name], [client])
        return stored


async def node_of(connection, owner):
    """The port of the node that has the owner's rows; all nodes of a test cluster are on one machine."""
    return (await connection.fetchrow(PLACEMENT, owner))["nodeport"]


async def crash(node):
    """Ends every process of the node with -9, and returns once it accepts connections again."""
    with contextlib.suppress(asyncpg.exceptions.PostgresError, OSError):
        async with connected(node) as connection:
            await connection.execute(CRASH)
    while True:
        with contextlib.suppress(asyncpg.exceptions.PostgresError, OSError):
            async with connected(node):
                return
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("victim", ["worker", "coordinator"])
async def test_a_node_that_crashes_loses_and_doubles_nothing(fresh_database, victim):
    url = await fresh_database()
    database = url.rsplit("/", 1)[1]
    nodes = {int(node.rsplit(":", 1)[1].split("/")[0]): node for node in await citus.nodes_of(citus.cluster_url())}
    async with connected(url) as connection:
        places = {owner: await node_of(connection, owner) for owner in OWNERS}
    port = places[OWNERS[0]] if victim == "worker" else next(iter(nodes))
    async with server_process(url) as server:
        load = Load(server)
        followed = await load.prepare()
        async with followed.user.follows(followed.session) as stream:
            await stream.until("CaughtUp")
            load.start()
            received = asyncio.create_task(until_the_end(stream))
            for number in range(1, CRASHES + 1):
                await until_acknowledged(load.clients, number * 200)
                await crash(at(nodes[port], database))
            await until_acknowledged([followed], len(followed.acknowledged) + 20)
            stored = await load.end()
            await followed.user.appends(followed.session, "The end")
            events = await received
    assert texts(events) == [*(message["text"] for message in stored[followed.name]), "The end"]
    assert "StreamReset" not in kinds(events)
    hit = [client for client in load.clients if victim == "coordinator" or places[client.name] == port]
    assert sum(client.retries for client in hit) > 0
    assert {client.name: client.retries for client in load.clients if client not in hit and client.retries} == {}
    assert exit_code_of("check", url) == 0


async def test_shards_that_move_lose_no_event(fresh_database):
    """All rows move to one node while owners append, and half of them back."""
    url = await fresh_database()
    async with server_process(url) as server:
        load = Load(server)
        followed = await load.prepare()
        async with followed.user.follows(followed.session) as stream:
            await stream.until("CaughtUp")
            load.start()
            received = asyncio.create_task(until_the_end(stream))
            async with connected(url) as connection:
                before = {owner: await node_of(connection, owner) for owner in OWNERS}
                crowded = before[followed.name]
                for owner, port in before.items():
                    if port == crowded and await node_of(connection, owner) == crowded:
                        shard, host, _ = await connection.fetchrow(PLACEMENT, owner)
                        await connection.execute(
                            MOVE, shard, host, crowded, *await connection.fetchrow(OTHER_NODE, crowded)
                        )
                await until_acknowledged(load.clients, 300)
                await connection.execute(REBALANCE)
                await connection.execute("select citus_rebalance_wait()")
                after = {owner: await node_of(connection, owner) for owner in OWNERS}
            await until_acknowledged(load.clients, sum(len(client.acknowledged) for client in load.clients) + 50)
            stored = await load.end()
            await followed.user.appends(followed.session, "The end")
            events = await received
    assert len(set(after.values())) > 1
    assert texts(events) == [*(message["text"] for message in stored[followed.name]), "The end"]
    assert "StreamReset" not in kinds(events)
    assert exit_code_of("check", url) == 0
