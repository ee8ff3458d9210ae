"""kill -9 of the server and of PostgreSQL under load: what was acknowledged is there, and there once."""

import asyncio
from collections import Counter
from itertools import cycle

import httpx2
import pytest

from app.db.operations import migrate
from harness.forked_server import exit_code_of
from harness.postgres import own_server
from tests.support.servers import server_process
from tests.support.users import Refusal

KILLS, ACKNOWLEDGED, CLIENTS, SHARING = 20, 2_000, 12, 3
FAILURES = (httpx2.TransportError, Refusal)  # what a client sees of a death: a broken connection, or INTERNAL
EVERYTHING = "messages(first: 100, after: $after) { nodes { key sequence text } pageInfo { hasNextPage endCursor } }"


class Client:
    """Appends one message after the other, each until it is acknowledged, with a key that makes that safe.

    `doors` is the same person at every server; a client that fails tries the next one.
    """

    def __init__(self, doors, session, name):
        self.doors, self.session, self.name = cycle(doors), session, name
        self.door = next(self.doors)
        self.acknowledged: dict[str, int] = {}
        self.in_flight = False
        self.retries = 0

    async def writes(self):
        while True:
            key = f"{self.name}/{len(self.acknowledged) + 1}"
            self.acknowledged[key] = await self.appends(key)

    async def appends(self, key):
        """The number under which the message was stored, however often it had to be sent."""
        while True:
            try:
                self.in_flight = True
                answer = await self.door.appends(self.session, f"text of {key}", key=key)
                return answer["sequence"]
            except FAILURES:
                self.retries += 1
                self.door = next(self.doors)
            finally:
                self.in_flight = False
            await asyncio.sleep(0.3)


@pytest.fixture
def postgres():
    with own_server() as server:
        migrate.upgrade(server.url)
        yield server


async def appended(clients, goal):
    """Returns once so much is acknowledged, with appends under way."""
    while sum(len(client.acknowledged) for client in clients) < goal or not any(c.in_flight for c in clients):
        await asyncio.sleep(0.002)


def busiest(servers, clients):
    """The server with the most appends in flight."""
    urls = Counter(client.door.url for client in clients if client.in_flight)
    return max(servers, key=lambda server: urls[server.url])


@pytest.mark.timeout(300)
@pytest.mark.xdist_group("faults")
async def test_no_acknowledged_append_is_lost_or_doubled(postgres):
    url = postgres.url
    async with server_process(url) as one, server_process(url) as other:
        ann, *_ = doors = [server.user("ann") for server in (one, other)]
        sessions = [await ann.creates_session(f"Session {n}") for n in range(CLIENTS // SHARING)]
        clients = [Client(doors, session, f"c{n}") for n, session in enumerate(sessions * SHARING)]
        writing = [asyncio.create_task(client.writes()) for client in clients]
        for kill, victim in zip(range(1, KILLS + 1), cycle(["server", "postgres"])):
            await appended(clients, kill * ACKNOWLEDGED // KILLS)
            if victim == "postgres":
                postgres.kill()
                await postgres.restart()
            else:
                await asyncio.gather(one.ready(), other.ready())
                await appended(clients, 0)
                server = busiest([one, other], clients)
                server.kill()
                server.start()  # it comes up while the other works on
        await appended(clients, ACKNOWLEDGED + CLIENTS)
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, one.ready(), other.ready(), return_exceptions=True)
        stored = {session: await everything(ann, session) for session in sessions}
    for session, messages in stored.items():
        assert_exactly_once(messages, [client for client in clients if client.session == session])
    assert sum(client.retries for client in clients) >= KILLS
    assert exit_code_of("check", url) == 0


def assert_exactly_once(messages, clients):
    """Every acknowledged message under its number; beyond them at most the one that each client had in flight."""
    assert [message["sequence"] for message in messages] == list(range(1, len(messages) + 1))
    numbers = {message["key"]: message["sequence"] for message in messages}
    assert len(numbers) == len(messages)
    assert all(message["text"] == f"text of {message['key']}" for message in messages)
    for client in clients:
        assert client.acknowledged.items() <= numbers.items()
        assert sum(key.startswith(f"{client.name}/") for key in numbers) <= len(client.acknowledged) + 1


async def everything(user, session):
    """All messages, in the order of the connection."""
    found, after = [], None
    while True:
        query = f"query ($id: ID!, $after: String) {{ session(id: $id) {{ {EVERYTHING} }} }}"
        page = (await user.asks(query, id=session, after=after))["session"]["messages"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
