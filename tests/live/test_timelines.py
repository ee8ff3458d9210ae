"""Change numbers after promotions of standbys: each timeline of PostgreSQL has numbers of its own.

The function that returns the timeline is replaced here; `tests/faults/test_failover.py` promotes real standbys.
"""

import pytest

from harness.postgres import connected
from harness.server_settings import settings_for
from tests.support.invariants import assert_nothing_broken
from tests.support.servers import serving

BLOCK = 2**20
TIMELINE = "create or replace function colloquy_timeline() returns integer language sql stable as 'select {}'"


@pytest.fixture
async def promoted(fresh_database):
    """A server, and `await begin(n)`: timeline n begins."""
    url = await fresh_database()

    async def begin(timeline):
        async with connected(url) as connection:
            await connection.execute(TIMELINE.format(timeline))

    async with serving(settings_for(url)) as server:
        yield server, begin
    await assert_nothing_broken(url)


async def head(user, session):
    cursor = (await user.sees(session, "eventCursor"))["eventCursor"]
    return int(cursor.rpartition(".")[2])


def cursor(session, revision):
    return f"e.{session.removeprefix('ses_')}.{revision}"


async def resets(user, session, revision):
    """Why a client with this cursor has to begin again; None if it continues."""
    first = (await user.replays(session, cursor(session, revision)))[0]
    return first.get("reason")


async def test_the_first_change_in_a_timeline_takes_a_number_of_the_next_block(promoted):
    server, begin = promoted
    ann, bob = server.user("ann"), server.user("bob")
    one, many, renamed, untouched = [await ann.creates_session() for _ in range(4)]
    strangers = await bob.creates_session()
    for session in (one, many, renamed, untouched):
        await ann.appends(session, "shared")
    shared = await head(ann, one)
    await begin(1)
    await ann.appends(one, "new")
    messages = [{"role": "USER", "text": str(number)} for number in range(3)]
    await ann.does("appendMessages", sessionId=many, messages=messages)
    await ann.does("updateSession", id=renamed, title="New")
    await ann.appends(one, "next")
    assert [await head(ann, session) for session in (one, many, renamed, untouched)] == [
        *(BLOCK + number for number in (2, 3, 1)),
        shared,
    ]
    assert (await ann.sees(renamed, "revision"))["revision"] == BLOCK + 1
    assert await head(bob, strangers) == 1
    numbers = (await ann.sees(many, "messages(first: 9) { nodes { revision } }"))["messages"]["nodes"]
    assert [node["revision"] for node in numbers[1:]] == [BLOCK + number for number in (1, 2, 3)]


async def test_a_cursor_continues_if_its_number_was_not_lost(promoted):
    server, begin = promoted
    ann = server.user("ann")
    session = await ann.creates_session()
    await ann.appends(session, "first")
    first = await head(ann, session)
    assert await resets(ann, session, first + 1) == "CURSOR_FROM_THE_FUTURE"
    await begin(1)
    await ann.appends(session, "second")
    second = await head(ann, session)
    for revision in (1, first, second):
        assert await resets(ann, session, revision) is None
    for revision in (first + 1, BLOCK, second + 1):
        assert await resets(ann, session, revision) == "CURSOR_FROM_THE_FUTURE"
    await begin(2)
    await ann.appends(session, "third")
    third = await head(ann, session)
    assert third == 2 * BLOCK + 1
    for revision in (second, third):
        assert await resets(ann, session, revision) is None
    for revision in (second + 1, 2 * BLOCK, first):  # the first fork is not known any more
        assert await resets(ann, session, revision) is not None


async def test_a_connected_reader_continues_if_it_has_seen_nothing_that_was_lost(promoted):
    server, begin = promoted
    ann = server.user("ann")
    session = await ann.creates_session()
    async with ann.follows(session) as stream, ann.watches() as everything:
        for events in (stream, everything):
            await events.until("CaughtUp")
        await ann.appends(session, "shared")
        await stream.until("MessageAdded")
        await begin(1)
        await ann.appends(session, "new")
        events = await stream.until("MessageAdded")
        assert [event["__typename"] for event in events] == ["MessageAdded"]
        assert (await everything.until("StreamReset"))[-1]["reason"] == "CURSOR_UNKNOWN"
        await ann.appends(session, "next")
        assert (await everything.until("SessionChanged"))[-1]["session"]["messageCount"] == 3
