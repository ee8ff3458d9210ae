"""A database that is away or read-only: UNAVAILABLE with a time to wait, never INTERNAL, and nothing is lost."""

import asyncio

import pytest
from colloquy import AsyncClient, errors
from colloquy.live import MessageAdded

from harness.outage import Outage
from tests.support.users import Refusal

GRAPHQL = "application/graphql-response+json"
READ = "{ viewer { stats { sessionCount } } }"
WRITE = "mutation { createSession(input: {}) { session { id } errors { code } } }"


@pytest.fixture
async def outage(database_server, database_url):
    outage = Outage(database_server, database_url)
    yield outage
    await outage.end()


async def posts(user, query, accept):
    response = await user._http.post(
        f"{user.url}/graphql",
        json={"query": query},
        headers={"authorization": f"Bearer {user.token}", "accept": accept},
    )
    return response, response.json()


@pytest.mark.parametrize("query", [READ, WRITE])
async def test_a_database_that_is_away_is_503_with_a_time_to_wait(ann, outage, query):
    await outage.begin()
    response, body = await posts(ann, query, GRAPHQL)
    [error] = body["errors"]
    assert (response.status_code, response.headers["retry-after"], body["data"]) == (503, "1", None)
    assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 1}
    assert "try again" in error["message"]
    await outage.end()
    response, body = await posts(ann, query, GRAPHQL)
    assert (response.status_code, "retry-after" in response.headers) == (200, False)
    assert "errors" not in body


async def test_a_client_of_plain_json_gets_200_for_what_was_executed(ann, outage):
    await outage.begin()
    response, body = await posts(ann, READ, "application/json")
    assert (response.status_code, body["errors"][0]["extensions"]["code"]) == (200, "UNAVAILABLE")


async def test_a_read_only_database_answers_reads_and_refuses_writes_until_it_accepts_them(ann, bob, outage):
    session = await ann.creates_session("before")
    async with outage.read_only():
        assert await ann.sees(session, "title") == {"title": "before"}
        assert await bob.sees(session, "title") is None
        for _ in range(3):
            response, body = await posts(ann, WRITE, GRAPHQL)
            assert (response.status_code, body["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
            assert "no writes" in body["errors"][0]["message"]
        with pytest.raises(Refusal) as refused:
            await ann.appends(session, "lost", key="k")
        assert refused.value.code == "UNAVAILABLE"
    # Connections that were opened while it was read-only stay so: the pool must have left them.
    assert (await ann.appends(session, "stored", key="k"))["sequence"] == 1
    await asyncio.gather(*(ann.appends(session, f"text {number}") for number in range(20)))
    assert await ann.sees(session, "messageCount") == {"messageCount": 21}


async def test_a_subscription_survives_and_catches_up(ann, bob, outage):
    session = await ann.creates_session()
    other = await bob.creates_session()
    async with ann.follows(session) as stream, bob.follows(other) as strangers, ann.watches() as everything:
        for events in (stream, strangers, everything):
            await events.until("CaughtUp")
        for number in range(3):
            await outage.begin()
            with pytest.raises(Refusal):
                await ann.appends(session, "not now")
            await outage.end()
            await ann.appends(session, f"text {number}")
            added = (await stream.until("MessageAdded"))[-1]
            assert added["message"]["text"] == f"text {number}"
            changed = (await everything.until("SessionChanged"))[-1]
            assert changed["session"]["messageCount"] == number + 1
        await bob.appends(other, "bob's")
        assert [event["__typename"] for event in await strangers.until("MessageAdded")].count("MessageAdded") == 1


async def test_a_subscription_in_its_replay_waits_for_the_database(ann, outage):
    session = await ann.creates_session()
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    await asyncio.gather(*(ann.appends(session, "x" * 50_000) for _ in range(60)))
    async with ann.follows(session, cursor, follow=False) as stream:
        seen = [await anext(stream)]  # the socket's buffers are full, and most batches are not read yet
        await outage.begin()
        rest = asyncio.create_task(stream.until("CaughtUp"))
        await asyncio.sleep(1)
        await outage.end()
        seen += await rest
    assert seen[-1]["__typename"] == "CaughtUp"
    ids = [event["message"]["id"] for event in seen if event["__typename"] == "MessageAdded"]
    assert (len(ids), len(set(ids))) == (60, 60)


async def test_a_subscription_that_begins_during_an_outage_receives_when_to_return(ann, outage):
    session = await ann.creates_session()
    await outage.begin()
    async with ann.follows(session) as stream:
        with pytest.raises(Refusal) as refused:
            await stream.until("CaughtUp")
    assert refused.value.errors[0]["extensions"] == {"code": "UNAVAILABLE", "retryAfter": 1}


async def first_message(events):
    async for event in events:
        if isinstance(event, MessageAdded):
            return event.message
    raise AssertionError("no message")


async def test_the_python_client_goes_on_after_an_outage(ann, outage):
    async with AsyncClient(ann.url, ann.token) as client, AsyncClient(ann.url, ann.token, attempts=1) as impatient:
        session = (await client.create_session()).session
        await outage.begin()
        with pytest.raises(errors.Unavailable) as unavailable:
            await impatient.append_message(session.id, "USER", "not now")
        assert unavailable.value.retry_after == 1
        writing = asyncio.create_task(client.append_message(session.id, "USER", "once"))
        following = asyncio.create_task(first_message(client.events(session.id, session.event_cursor)))
        await asyncio.sleep(0.2)
        await outage.end()
        assert (await writing).sequence == 1
        assert (await following).text == "once"
        assert (await client.session(session.id)).message_count == 1
