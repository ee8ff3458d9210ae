"""kill -9 of the server and of PostgreSQL under load: every acknowledged append is stored exactly once."""

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
FAILURES = (
    httpx2.TransportError,
    Refusal,
)  # what a client gets when either is killed: a broken connection, or UNAVAILABLE
PAGE = "messages(first: 100, after: $after) { nodes { key sequence text } pageInfo { hasNextPage endCursor } }"


class Client:
    """Appends one message after the other, each until it is acknowledged; its key makes repeating safe.

    `users` are the same user on every server; after a failure the client uses the next one.
    """

    def __init__(self, users, session, name):
        self.users, self.session, self.name = cycle(users), session, name
        self.user = next(self.users)
        self.acknowledged: dict[str, int] = {}
        self.in_flight = self.stopping = False
        self.retries = 0

    async def write(self):
        """Appends until `ended` stops it."""
        while not self.stopping:
            key = f"{self.name}/{len(self.acknowledged) + 1}"
            self.acknowledged[key] = await self.append(key)

    async def append(self, key):
        """The sequence of the stored message, however often it had to be sent."""
        while True:
            try:
                self.in_flight = True
                answer = await self.user.appends(self.session, f"text of {key}", key=key)
                return answer["sequence"]
            except FAILURES:
                self.retries += 1
                self.user = next(self.users)
            finally:
                self.in_flight = False
            await asyncio.sleep(0.3)


@pytest.fixture
def postgres():
    with own_server() as server:
        migrate.upgrade(server.url)
        yield server


async def ended(clients, writing):
    """Returns once every append is acknowledged: one that is cancelled may still be stored later."""
    for client in clients:
        client.stopping = True
    await asyncio.gather(*writing)


async def until_acknowledged(clients, goal):
    """Returns once so many appends are acknowledged and others are in flight."""
    while sum(len(client.acknowledged) for client in clients) < goal or not any(c.in_flight for c in clients):
        await asyncio.sleep(0.002)


def busiest(servers, clients):
    """The server with the most appends in flight."""
    urls = Counter(client.user.url for client in clients if client.in_flight)
    return max(servers, key=lambda server: urls[server.url])


@pytest.mark.timeout(300)
@pytest.mark.xdist_group("faults")
async def test_no_acknowledged_append_is_lost_or_doubled(postgres):
    url = postgres.url
    async with server_process(url) as one, server_process(url) as other:
        ann, *_ = users = [server.user("ann") for server in (one, other)]
        sessions = [await ann.creates_session(f"Session {n}") for n in range(CLIENTS // SHARING)]
        clients = [Client(users, session, f"c{n}") for n, session in enumerate(sessions * SHARING)]
        writing = [asyncio.create_task(client.write()) for client in clients]
        for kill, victim in zip(range(1, KILLS + 1), cycle(["server", "postgres"])):
            await until_acknowledged(clients, kill * ACKNOWLEDGED // KILLS)
            if victim == "postgres":
                postgres.kill()
                await postgres.restart()
            else:
                await asyncio.gather(one.ready(), other.ready())
                await until_acknowledged(clients, 0)
                server = busiest([one, other], clients)
                server.kill()
                server.start()  # it starts while the other one serves
        await until_acknowledged(clients, ACKNOWLEDGED + CLIENTS)
        await asyncio.gather(ended(clients, writing), one.ready(), other.ready())
        stored = {session: await all_messages(ann, session) for session in sessions}
    for session, messages in stored.items():
        assert_exactly_once(messages, [client for client in clients if client.session == session])
    assert sum(client.retries for client in clients) >= KILLS
    assert exit_code_of("check", url) == 0


def assert_exactly_once(messages, clients):
    """Every message that these clients had acknowledged is stored under its sequence, and nothing else is."""
    assert [message["sequence"] for message in messages] == list(range(1, len(messages) + 1))
    assert all(message["text"] == f"text of {message['key']}" for message in messages)
    acknowledged = [item for client in clients for item in client.acknowledged.items()]
    assert sorted((message["key"], message["sequence"]) for message in messages) == sorted(acknowledged)


async def all_messages(user, session):
    """All messages of the session, in order."""
    found, after = [], None
    while True:
        query = f"query ($id: ID!, $after: String) {{ session(id: $id) {{ {PAGE} }} }}"
        page = (await user.asks(query, id=session, after=after))["session"]["messages"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
