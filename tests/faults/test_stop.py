"""SIGTERM with writes in flight: acknowledged writes are stored, sockets close with 1012, the process exits with 0."""

import asyncio

import asyncpg
import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from harness import citus
from harness.postgres import dsn
from tests.support.invariants import assert_nothing_broken
from tests.support.servers import server_process
from tests.support.users import EVENTS, Refusal

GRACE_SECONDS = 5
WRITERS = 8
LOST = (httpx2.TransportError, Refusal, ValueError)  # a lost connection, or a response that is not GraphQL
WAITING = f"select count(*) from {citus.ACTIVITY} where datname = current_database() and wait_event_type = 'Lock'"


@pytest.mark.xdist_group("faults")
async def test_a_stopped_server_has_stored_every_acknowledged_append(fresh_database):
    url = await fresh_database()
    acknowledged = []

    async def write(user, session):
        while True:
            acknowledged.append((await user.appends(session, "x"))["sequence"])

    async with server_process(url, SHUTDOWN_SECONDS=str(GRACE_SECONDS)) as server, server_process(url) as successor:
        ann = server.user("ann")
        session = await ann.creates_session("Going on")
        async with ann.follows(session) as first, ann.follows(session) as second:
            for stream in (first, second):
                await stream.until("CaughtUp")
            writing = [asyncio.create_task(write(ann, session)) for _ in range(WRITERS)]
            await first.until("MessageAdded")
            server.terminate()
            codes = await asyncio.gather(*(close_code(stream) for stream in (first, second)))
        ends = await asyncio.gather(*writing, return_exceptions=True)
        assert await server.wait(2 * GRACE_SECONDS) == 0
        assert codes == [1012, 1012]
        assert all(isinstance(end, LOST) for end in ends)
        seen = await successor.user("ann").sees(session, "messageCount messages(last: 1) { nodes { sequence } }")
        newest = seen["messages"]["nodes"][0]["sequence"]
        assert sorted(acknowledged) == list(range(1, len(acknowledged) + 1))
        assert newest == len(acknowledged)  # the stop waits for the responses to requests in flight
    await assert_nothing_broken(url)


async def close_code(stream):
    """The code that the socket is closed with."""
    try:
        async for _ in stream:
            pass
    except ConnectionClosed as end:
        return end.rcvd.code
    return "complete"


@pytest.mark.xdist_group("faults")
async def test_event_streams_of_a_stopped_server_resume_on_another(fresh_database):
    """The grace period is longer than the test's time limit: the stop does not wait for event streams."""
    url = await fresh_database()
    async with server_process(url, SHUTDOWN_SECONDS="600") as server, server_process(url) as successor:
        ann, later = server.user("ann"), successor.user("ann")
        request = {"session": await ann.creates_session("Going on", status="ACTIVE"), "after": None, "follow": True}
        async with ann.streams(EVENTS, **request) as stream:
            await anext(stream)
            await ann.appends(request["session"], "before")
            assert (await anext(stream)).id == stream.last_id
            server.terminate()
            assert [event async for event in stream] == []
        assert await server.wait(60) == 0
        await later.appends(request["session"], "meanwhile")
        async with later.streams(EVENTS, stream.last_id, **request) as resumed:
            [event] = (await anext(resumed)).data["data"].values()
            assert event["message"]["text"] == "meanwhile"


@pytest.mark.xdist_group("faults")
async def test_a_stop_ends_after_its_grace_period_although_a_write_is_blocked(fresh_database):
    """An append that waits for a lock beyond the grace period is cancelled; it is stored whole or not at all."""
    url = await fresh_database()
    async with server_process(url, SHUTDOWN_SECONDS="1") as server, server_process(url) as successor:
        ann = server.user("ann")
        session = await ann.creates_session("Stuck")
        connection = await asyncpg.connect(dsn(url))
        async with connection.transaction():
            await connection.fetch("select * from sessions where owner_id = $1 for update", ann.name)
            stuck = asyncio.create_task(ann.appends(session, "never acknowledged"))
            while not await connection.fetchval(WAITING):
                await asyncio.sleep(0.01)
            server.terminate()
            assert await server.wait(2 * GRACE_SECONDS) == 0
            with pytest.raises(LOST):
                await stuck
        await connection.close()
        seen = await successor.user("ann").sees(session, "messageCount")
        assert seen["messageCount"] in (0, 1)
    await assert_nothing_broken(url)
