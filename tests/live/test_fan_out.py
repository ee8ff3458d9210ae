"""Many follow one session: each gets everything once, in order, and nobody pays for anybody else."""

import asyncio
import json
import re
import socket as sockets
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.client import connect

from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.users import Refusal, Subscription

TEXTS = """
subscription ($session: ID!, $after: String, $with: Boolean! = true) {
  sessionEvents(sessionId: $session, after: $after) {
    __typename
    ... on Event { cursor }
    ... on MessageAdded { message { sequence text @include(if: $with) agent { key } } }
  }
}
"""


def sequences(events):
    return [event["message"]["sequence"] for event in events if event["__typename"] == "MessageAdded"]


async def runs(user, http):
    """How many operations the server has run."""
    page = (await http.get(f"{user.url}/metrics")).text
    return sum(float(count) for count in re.findall(r"^colloquy_executions_total\{.*\} (.*)$", page, re.M))


async def read(stream, last):
    seen = []
    while not sequences(seen) or sequences(seen)[-1] < last:
        seen += await stream.until("MessageAdded")
    return seen


async def test_a_hundred_who_ask_the_same_are_answered_by_one_execution(server, ann, bob):
    session = await ann.creates_session("Stage", status="ACTIVE")
    async with AsyncExitStack() as open_streams:
        streams = [await open_streams.enter_async_context(ann.subscribes(TEXTS, session=session)) for _ in range(100)]
        for stream in streams:
            await stream.until("CaughtUp")
        before = await runs(ann, server.http)
        for n in range(5):
            await ann.appends(session, f"{n}")
        seen = [await read(stream, 5) for stream in streams]
        ran = await runs(ann, server.http) - before
    assert all(events == seen[0] for events in seen)
    assert sequences(seen[0]) == [1, 2, 3, 4, 5]
    assert ran < 5 + 5 + 20  # the mutations, each event once, and what the first ones to come shared not yet
    with pytest.raises(Refusal, match="NOT_FOUND"):
        async with bob.subscribes(TEXTS, session=session) as his:
            await his.until("CaughtUp")


async def test_who_asks_for_something_else_gets_something_else(ann):
    session = await ann.creates_session("Two", status="ACTIVE")
    async with (
        ann.subscribes(TEXTS, session=session, **{"with": True}) as long,
        ann.subscribes(TEXTS, session=session, **{"with": False}) as short,
        ann.follows(session) as other,
    ):
        for stream in (long, short, other):
            await stream.until("CaughtUp")
        await ann.appends(session, "hello", role="ASSISTANT", agentKey="guide")
        assert (await read(long, 1))[-1]["message"] == {"sequence": 1, "text": "hello", "agent": {"key": "guide"}}
        assert (await read(short, 1))[-1]["message"] == {"sequence": 1, "agent": {"key": "guide"}}
        assert (await read(other, 1))[-1]["message"]["role"] == "ASSISTANT"


async def test_those_who_come_and_go_while_others_write_miss_nothing_and_hear_nothing_twice(ann):
    session = await ann.creates_session("Busy", status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    total = 150

    async def listens(every):
        seen, cursor = [], start
        while len(seen) < total:
            async with ann.subscribes(TEXTS, session=session, after=cursor) as stream:
                count = 0
                async for event in stream:
                    cursor = event["cursor"]
                    seen += sequences([event])
                    count += 1
                    if count == every or len(seen) >= total:
                        break
        return seen

    listening = [asyncio.create_task(listens(every)) for every in (1, 3, 7, 20, 1_000, 1_000)]
    for n in range(total):
        await ann.appends(session, f"{n}")
    async with asyncio.timeout(60):
        for seen in await asyncio.gather(*listening):
            assert seen == list(range(1, total + 1))


@asynccontextmanager
async def deaf(user, session):
    """A follower whose wires hold little, and who does not read."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    port = int(user.url.rsplit(":", 1)[1])
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    address = user.url.replace("http", "ws", 1) + "/graphql"
    async with connect(
        address, subprotocols=["graphql-transport-ws"], sock=raw, ping_interval=None, max_size=None
    ) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {user.token}"}}))
        await socket.recv()
        payload = {"query": TEXTS, "variables": {"session": session}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        await Subscription(socket).until("CaughtUp")
        socket.transport.pause_reading()
        yield socket


async def test_who_does_not_read_holds_nobody_up_and_reads_everything_later(ann):
    session = await ann.creates_session("Slow", status="ACTIVE")
    big = "x" * 100_000
    async with ann.subscribes(TEXTS, session=session) as quick, deaf(ann, session) as slow:
        await quick.until("CaughtUp")
        for _ in range(60):
            await ann.appends(session, big)
        assert sequences(await read(quick, 60)) == list(range(1, 61))
        slow.transport.resume_reading()
        async with asyncio.timeout(30):
            assert sequences(await read(Subscription(slow), 60)) == list(range(1, 61))
            await ann.appends(session, "and goes on live")
            assert sequences(await read(Subscription(slow), 61)) == [61]


async def test_one_user_and_one_server_take_only_so_many_subscriptions(database_url, ann, bob):
    limits = {"max_subscribers_per_user": 2, "max_subscribers": 3}
    async with serving(settings_for(database_url, **limits)) as small, AsyncExitStack() as streams:
        hers, his = small.user(ann.name), small.user(bob.name)
        session = await hers.creates_session("Full")
        for user in (hers, hers, his):
            stream = await streams.enter_async_context(user.watches())
            await stream.until("CaughtUp")
        for user in (hers, his):
            with pytest.raises(Refusal, match="RATE_LIMITED"):
                await user.catches_up()
        with pytest.raises(Refusal, match="RATE_LIMITED"):
            await hers.replays(session)
        await streams.aclose()
        async with asyncio.timeout(10):
            while True:
                try:
                    assert (await hers.catches_up())[-1]["__typename"] == "CaughtUp"
                    break
                except Refusal:
                    await asyncio.sleep(0.05)
