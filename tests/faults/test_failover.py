"""A standby is promoted under load: what it had is kept, once; a reader that has seen more receives StreamReset."""

import asyncio

import pytest

from app.db.access.statement import Statement
from app.db.operations import migrate
from app.db.reading.rows import SessionRow
from app.db.session import ONE
from harness.forked_server import exit_code_of
from harness.replication import replicated
from harness.server_settings import settings_for
from tests.faults.test_kill import Client, all_messages, assert_exactly_once, ended, until_acknowledged
from tests.support.databases import open_database
from tests.support.servers import server_process, serving
from tests.support.users import Refusal

CLIENTS, SHARING = 6, 3
pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("faults")]


@pytest.fixture
async def group(request):
    """A migrated primary with two standbys."""
    async with replicated(synchronous=request.param) as group:
        await asyncio.to_thread(migrate.upgrade, group.url)
        await group.caught_up()
        yield group


def kinds(events):
    return [event["__typename"] for event in events]


def texts(events):
    return [event["message"]["text"] for event in events if event["__typename"] == "MessageAdded"]


async def until_the_end(stream):
    """The events up to the message "The end"."""
    seen = []
    while texts(seen)[-1:] != ["The end"]:
        seen.append(await anext(stream))
    return seen


async def written(user, session, text):
    """Appends until it is acknowledged."""
    while True:
        try:
            return await user.appends(session, text, key=text)
        except Refusal as refused:
            if refused.code != "UNAVAILABLE":
                raise
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("group", [True], indirect=True, ids=["synchronous"])
async def test_no_acknowledged_append_is_lost_or_doubled_by_a_synchronous_failover(group):
    async with server_process(group.url) as one, server_process(group.url) as other:
        ann, elsewhere = (server.user("ann") for server in (one, other))
        bob = other.user("bob")
        sessions = [await ann.creates_session(f"Session {n}") for n in range(CLIENTS // SHARING)]
        quiet = await bob.creates_session()
        clients = [Client([ann, elsewhere], session, f"c{n}") for n, session in enumerate(sessions * SHARING)]
        async with elsewhere.follows(sessions[0]) as stream, bob.follows(quiet) as strangers:
            for events in (stream, strangers):
                await events.until("CaughtUp")
            received = asyncio.create_task(until_the_end(stream))
            writing = [asyncio.create_task(client.write()) for client in clients]
            await until_acknowledged(clients, 200)
            await group.primary.demote()
            old = await group.fail_over()
            await until_acknowledged(clients, 400)  # the old primary still answers reads
            old.kill()
            await until_acknowledged(clients, 600)
            await asyncio.gather(ended(clients, writing), one.ready(), other.ready())
            stored = {session: await all_messages(ann, session) for session in sessions}
            await ann.appends(sessions[0], "The end")
            events = await received
            await written(bob, quiet, "bob's")
            assert texts(await strangers.until("MessageAdded")) == ["bob's"]
    for session, messages in stored.items():
        assert_exactly_once(messages, [client for client in clients if client.session == session])
    assert texts(events) == [*(message["text"] for message in stored[sessions[0]]), "The end"]
    assert "StreamReset" not in kinds(events)
    assert exit_code_of("check", group.url) == 0


class Owner:
    """A viewer, without a token."""

    def __init__(self, subject):
        self.subject = subject


@pytest.mark.parametrize("group", [True], indirect=True, ids=["synchronous"])
async def test_no_read_returns_what_a_replaced_server_has(group):
    """The old primary stays reachable, and connections that were idle meanwhile lead to it."""
    db = open_database(group.url, pool_size=6)
    async with serving(settings_for(group.url)) as server:
        ann = server.user("ann")
        opened = await ann.creates_session("Session")
        connections = [await db.pool.acquire() for _ in range(6)]
        for connection in connections:
            db.pool.release(connection)
        await group.primary.demote()
        await group.fail_over()
        await written(ann, opened, "after the failover")
        id_ = opened.removeprefix("ses_")
        reads = [db.fetch(Owner(ann.name), ONE, session_id=id_) for _ in range(3)]
        in_transactions = [db.fetch(Owner(ann.name), CUSTOM_PLAN, session_id=id_) for _ in range(3)]
        found = [row.last_sequence for rows in await asyncio.gather(*reads, *in_transactions) for row in rows]
        assert found == [1] * 6
        assert await db.fetch(Owner("bob"), ONE, session_id=id_) == []
    await db.close()


CUSTOM_PLAN = Statement("test.one", "One session, in a transaction.", ONE.element, SessionRow)
CUSTOM_PLAN.custom_plan = True
KEPT, NEW = [f"kept {number}" for number in range(10)], [f"new {number}" for number in range(10)]


async def written_and_half_replicated(group, ann, session, idle):
    """What the standbys have, and then what they lack; returns the cursors after the first and after the second."""
    for text in KEPT:
        await ann.appends(session, text)
    shared = (await ann.sees(session, "eventCursor"))["eventCursor"]
    await group.caught_up()
    for standby in group.standbys:
        await standby.follow_nothing()
    for number in range(5):
        await ann.appends(session, f"lost {number}")
        await ann.appends(idle, f"lost {number}")
    return shared, (await ann.sees(session, "eventCursor"))["eventCursor"]


@pytest.mark.parametrize("group", [False], indirect=True, ids=["asynchronous"])
async def test_a_failover_loses_what_the_replica_lacked_and_resets_who_has_seen_more(group):
    async with serving(settings_for(group.url)) as server:
        await server.ready()
        ann, bob = server.user("ann"), server.user("bob")
        session, idle, strangers = [await user.creates_session() for user in (ann, ann, bob)]
        shared, lost = await written_and_half_replicated(group, ann, session, idle)
        gone, sidebar = await ann.creates_session(), await ann.now()
        async with (
            ann.follows(session) as ahead,
            ann.follows(idle) as quiet,
            ann.follows(gone) as removed,
            ann.watches() as everything,
            bob.follows(strangers) as others,
        ):
            for events in (ahead, quiet, removed, everything, others):
                await events.until("CaughtUp")
            group.primary.kill()
            await group.fail_over()
            await written(ann, session, NEW[0])
            assert [message["text"] for message in await all_messages(ann, session)] == [*KEPT, NEW[0]]
            await reset_and_continues(ahead, quiet, ann, session, idle)
            assert kinds([event async for event in removed]) == ["StreamReset"]
            assert await ann.sees(gone, "id") is None
            assert (await everything.until("StreamReset"))[-1]["reason"] == "CURSOR_UNKNOWN"
            await bob.appends(strangers, "bob's")
            assert texts(await others.until("MessageAdded")) == ["bob's"]
        await resumes(ann, session, shared, lost)
        assert kinds(await ann.catches_up(sidebar))[0] == "StreamReset"
    assert await asyncio.to_thread(exit_code_of, "check", group.url) == 0


async def reset_and_continues(ahead, quiet, ann, session, idle):
    """Readers that have seen more than the new primary: of a session that changes, and of one that does not."""
    for text in (*NEW[1:], "The end"):
        await ann.appends(session, text)
    events = await ahead.until("StreamReset")
    assert (events[-1]["reason"], texts(events)) == ("CURSOR_FROM_THE_FUTURE", [])
    after = texts(await until_the_end(ahead))
    assert after == [*NEW, "The end"][-len(after) :]
    [reset] = await quiet.until("StreamReset")
    assert reset["reason"] == "CURSOR_FROM_THE_FUTURE"
    assert await ann.sees(idle, "messageCount") == {"messageCount": 0}
    await ann.appends(idle, "goes on")
    assert texts(await quiet.until("MessageAdded")) == ["goes on"]


async def resumes(ann, session, shared, lost):
    """Clients that come back with a cursor: what was lost is StreamReset, although numbers are beyond it by now."""
    events = await ann.replays(session, lost)
    assert (kinds(events), events[0]["reason"]) == (["StreamReset", "CaughtUp"], "CURSOR_FROM_THE_FUTURE")
    events = await ann.replays(session, shared)
    assert "StreamReset" not in kinds(events)
    assert texts(events) == [*NEW, "The end"]
