"""Many subscribers of one session: each receives every event once, in order, whatever the others do."""

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


async def executions(user, http):
    """How many operations the server has executed."""
    page = (await http.get(f"{user.url}/metrics")).text
    return sum(float(count) for count in re.findall(r"^colloquy_executions_total\{.*\} (.*)$", page, re.M))


async def read_until(stream, last):
    """The events up to the message of this sequence."""
    seen = []
    while not sequences(seen) or sequences(seen)[-1] < last:
        seen += await stream.until("MessageAdded")
    return seen


async def test_a_hundred_equal_subscriptions_share_one_execution_per_event(server, ann, bob):
    session = await ann.creates_session("Stage", status="ACTIVE")
    async with AsyncExitStack() as open_streams:
        streams = [await open_streams.enter_async_context(ann.subscribes(TEXTS, session=session)) for _ in range(100)]
        for stream in streams:
            await stream.until("CaughtUp")
        before = await executions(ann, server.http)
        for n in range(5):
            await ann.appends(session, f"{n}")
        seen = [await read_until(stream, 5) for stream in streams]
        executed = await executions(ann, server.http) - before
    assert all(events == seen[0] for events in seen)
    assert sequences(seen[0]) == [1, 2, 3, 4, 5]
    assert executed < 5 + 5 + 20  # mutations, one per event, and events that early subscribers read before they joined
    with pytest.raises(Refusal, match="NOT_FOUND"):
        async with bob.subscribes(TEXTS, session=session) as his:
            await his.until("CaughtUp")


async def test_subscriptions_with_other_selections_or_variables_share_nothing(ann):
    session = await ann.creates_session("Two", status="ACTIVE")
    async with (
        ann.subscribes(TEXTS, session=session, **{"with": True}) as long,
        ann.subscribes(TEXTS, session=session, **{"with": False}) as short,
        ann.follows(session) as other,
    ):
        for stream in (long, short, other):
            await stream.until("CaughtUp")
        await ann.appends(session, "hello", role="ASSISTANT", agentKey="guide")
        assert (await read_until(long, 1))[-1]["message"] == {"sequence": 1, "text": "hello", "agent": {"key": "guide"}}
        assert (await read_until(short, 1))[-1]["message"] == {"sequence": 1, "agent": {"key": "guide"}}
        assert (await read_until(other, 1))[-1]["message"]["role"] == "ASSISTANT"


async def test_subscribers_that_reconnect_during_writes_miss_nothing_and_receive_nothing_twice(ann):
    session = await ann.creates_session("Busy", status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    total = 100

    async def listen(every):
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

    listening = [asyncio.create_task(listen(every)) for every in (1, 3, 7, 20, 1_000, 1_000)]
    for n in range(total):
        await ann.appends(session, f"{n}")
    async with asyncio.timeout(100):
        for seen in await asyncio.gather(*listening):
            assert seen == list(range(1, total + 1))


@asynccontextmanager
async def blocked(user, session):
    """A subscriber with small buffers that does not read."""
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


async def test_a_blocked_subscriber_delays_no_other_and_receives_everything_later(ann):
    session = await ann.creates_session("Slow", status="ACTIVE")
    big = "x" * 100_000
    async with ann.subscribes(TEXTS, session=session) as quick, blocked(ann, session) as slow:
        await quick.until("CaughtUp")
        for _ in range(60):
            await ann.appends(session, big)
        assert sequences(await read_until(quick, 60)) == list(range(1, 61))
        slow.transport.resume_reading()
        async with asyncio.timeout(30):
            assert sequences(await read_until(Subscription(slow), 60)) == list(range(1, 61))
            await ann.appends(session, "and goes on live")
            assert sequences(await read_until(Subscription(slow), 61)) == [61]


async def test_subscriptions_are_limited_per_user_and_per_server(database_url, ann, bob):
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
