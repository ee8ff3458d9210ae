"""A rolling deploy: the program before the newest migration and today's serve the same clients side by side."""

import asyncio
import subprocess
from itertools import cycle

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from app.db.operations import migrate, readiness
from harness.postgres import connected
from harness.previous_program import PreviousProgram, PreviousServer
from harness.programs import MissingPrerequisite
from harness.server_settings import environment_for
from tests.faults.test_kill import all_messages
from tests.support.invariants import assert_nothing_broken
from tests.support.servers import server_process
from tests.support.users import User

WRITERS = 4
CREATE = 'mutation { createSession(input: {title: "Once"}) { session { id } errors { code } } }'
pytestmark = [pytest.mark.timeout(200), pytest.mark.xdist_group("faults")]


class Writer:
    """Appends with idempotency keys. Goes to the next server when its connection is cut, and accepts no refusal."""

    def __init__(self, users, session, name):
        self.users, self.session, self.name = cycle(users), session, name
        self.texts, self.cuts, self.stopping = [], 0, False

    async def write(self):
        user = next(self.users)
        while not self.stopping:
            text = f"{self.name} {len(self.texts) + 1}"
            try:
                await self.append(user, text)
            except httpx2.TransportError:
                self.cuts += 1
                user = next(self.users)
                continue
            self.texts.append(text)

    async def append(self, user, text):
        response = await appended(user, self.session, text)
        assert response["data"]["appendMessage"]["errors"] == []


async def revision(url):
    async with connected(url) as connection:
        return await connection.fetchval("select version_num from alembic_version")


async def appended(user, session, text):
    """The response to an append whose text is its idempotency key."""
    query = (
        "mutation ($id: ID!, $text: String!) { appendMessage(input: {sessionId: $id, message: {role: USER, text: $text}})"
        " { message { id sequence } cursor errors { code } } }"
    )
    return await user.responds(query, {"idempotency-key": text}, id=session, text=text)


def replayed(response):
    return response["extensions"]["idempotency"]["replayed"]


@pytest.fixture
async def previous(empty_database, tmp_path):
    """A running server of the previous program, on a database that this program has migrated."""
    url = await empty_database()
    try:
        program = PreviousProgram(tmp_path / "previous")
    except MissingPrerequisite as missing:  # in CI too: a checkout without history is no missing tool
        pytest.skip(str(missing))
    environment = environment_for(url) | program.environment
    subprocess.run([*program.command, "migrate"], env=environment, cwd=tmp_path, check=True)
    async with httpx2.AsyncClient(timeout=30) as http:
        server = PreviousServer(program, url, tmp_path, http)
        try:
            await asyncio.to_thread(server.wait_until_listening, server.port)
            await server.ready()
            yield url, server
        finally:
            server.kill()


async def test_clients_move_from_one_version_to_the_next_and_lose_nothing(previous):
    url, old = previous
    ann, bob = (User(name, old.url, old.token(name), old.http, old.schema) for name in ("ann", "bob"))
    session = await ann.creates_session("Going on")
    assert await revision(url) == readiness.predecessors()[readiness.expected_revision()]
    await asyncio.to_thread(migrate.upgrade, url)
    assert (await old.http.get(f"{old.url}/readyz")).status_code == 200
    async with server_process(url) as new:
        ann_there, bob_there = new.user("ann"), new.user("bob")
        await both_mean_the_same(ann, ann_there, session)
        await both_mean_the_same(ann_there, ann, session)
        assert await bob.sees(session, "id") is await bob_there.sees(session, "id") is None

        writers = [Writer([ann, ann_there], session, f"w{number}") for number in range(WRITERS)]
        async with ann.follows(session) as stream:
            await stream.until("CaughtUp")
            writing = [asyncio.create_task(writer.write()) for writer in writers]
            seen = await stream.until("MessageAdded")
            stopping = asyncio.create_task(asyncio.to_thread(old.stop))
            assert await close_code(stream, seen) == 1012
        async with ann_there.follows(session, seen[-1]["cursor"]) as stream:
            assert await stopping == 0
            seen += await stream.until("MessageAdded")
            for writer in writers:
                writer.stopping = True
            await asyncio.gather(*writing)
            stored = await all_messages(ann_there, session)
            while len(added := [event for event in seen if event["__typename"] == "MessageAdded"]) < written(writers):
                seen.append(await anext(stream))
    texts = [message["text"] for message in stored]
    assert [event["message"]["text"] for event in added] == texts[-len(added) :]
    assert sorted(texts[-len(added) :]) == sorted(text for writer in writers for text in writer.texts)
    assert "StreamReset" not in [event["__typename"] for event in seen]
    assert all(writer.cuts <= 2 for writer in writers)
    await assert_nothing_broken(url)


async def close_code(stream, seen):
    """The code that the socket is closed with; the events before it are added to `seen`."""
    try:
        async for event in stream:
            seen.append(event)
    except ConnectionClosed as end:
        return end.rcvd.code
    return "complete"


def written(writers):
    return sum(len(writer.texts) for writer in writers)


async def both_mean_the_same(one, other, session):
    """What one server gives to a client means the same to the other: ids, cursors and keys."""
    text = f"from {one.url}"
    cursor, sidebar = (await one.sees(session, "eventCursor"))["eventCursor"], await one.now()
    first = await appended(one, session, text)
    again = await appended(other, session, text)
    assert (replayed(again), again["data"]) == (True, first["data"])
    message = first["data"]["appendMessage"]["message"]
    assert (await other.asks("query ($id: ID!) { node(id: $id) { id } }", id=message["id"]))["node"]["id"] == message[
        "id"
    ]

    created = await one.responds(CREATE, {"idempotency-key": f"create {text}"})
    again = await other.responds(CREATE, {"idempotency-key": f"create {text}"})
    assert (replayed(again), again["data"]) == (True, created["data"])

    assert [event["__typename"] for event in await other.replays(session, cursor)][-2:] == ["MessageAdded", "CaughtUp"]
    changed = [event["session"]["id"] for event in await other.catches_up(sidebar) if "session" in event]
    assert {session, created["data"]["createSession"]["session"]["id"]} <= set(changed)
    page = "sessions(first: 1, after: $after) { nodes { id } pageInfo { endCursor } }"
    end = (await one.asks(f"query ($after: String) {{ {page} }}"))["sessions"]["pageInfo"]["endCursor"]
    pages = [await user.asks(f"query ($after: String) {{ {page} }}", after=end) for user in (one, other)]
    assert pages[0] == pages[1]
