"""RedisBus: wake-ups arrive at once while Redis runs, events later without it; a wake-up has ids and revisions only."""

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from app.live.shared_bus import WAKE_UP_CHANNEL
from app.live.tuning import LiveTuning
from harness.postgres import dsn
from harness.redis_server import PASSWORD, redis_server
from harness.server_settings import settings_for
from tests.faults.unreliable_redis import FATES, unreliable_redis
from tests.support.servers import serving
from tests.support.users import Refusal

NEVER = 3600
LISTENERS = "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'"


@pytest.fixture
def redis():
    with redis_server() as running:
        yield running


@asynccontextmanager
async def two_servers(database_url, redis_url, other_redis_url, *, poll, degraded_poll):
    """Two servers on one database; the polls are in seconds."""
    tuning = LiveTuning(poll_seconds=poll, degraded_poll_seconds=degraded_poll)
    async with (
        serving(settings_for(database_url, redis_url=redis_url), tuning) as one,
        serving(settings_for(database_url, redis_url=other_redis_url), tuning) as other,
    ):
        await asyncio.gather(one.ready(), other.ready())
        yield one, other


@pytest.fixture
async def two(redis, fresh_database):
    """Two servers that never poll."""
    url = await fresh_database()
    async with two_servers(url, redis.url, redis.url, poll=NEVER, degraded_poll=NEVER) as servers:
        yield servers


@pytest.fixture
async def degraded_polling(redis, fresh_database):
    """Two servers that poll only without Redis."""
    url = await fresh_database()
    async with two_servers(url, redis.url, redis.url, poll=NEVER, degraded_poll=0.2) as servers:
        yield servers


@pytest.fixture
async def unreliable(redis, fresh_database):
    """Two servers, and the proxy between Redis and the second one."""
    url = await fresh_database()
    async with (
        unreliable_redis(redis.url, b'"ann"') as proxy,
        two_servers(url, redis.url, proxy.url, poll=0.2, degraded_poll=0.2) as servers,
    ):
        yield *servers, proxy


async def bus_state(server):
    """`degraded` of `/readyz`, and the bus's metrics by name."""
    answer = await server.http.get(f"{server.url}/readyz")
    assert answer.status_code == 200, "a server without a bus still works"
    page = (await server.http.get(f"{server.url}/metrics")).text.splitlines()
    metrics = [line.rsplit(" ", 1) for line in page if line.startswith("colloquy_bus")]
    return answer.json()["degraded"], {name: float(value) for name, value in metrics}


async def until_degraded(*servers):
    for server in servers:
        while not (await bus_state(server))[0]:
            await asyncio.sleep(0.05)


async def assert_next_message(stream, text):
    """Reads the next new message, which has this text."""
    assert (await stream.until("MessageAdded"))[-1]["message"]["text"] == text


async def test_a_write_on_one_server_reaches_a_subscriber_of_another_through_redis_alone(two):
    one, other = two
    ann, elsewhere, bob = one.user("ann"), other.user("ann"), other.user("bob")
    session = await ann.creates_session("Two")
    async with elsewhere.follows(session) as live:
        await live.until("CaughtUp")
        for n in range(3):
            await ann.appends(session, f"message {n}")
            await assert_next_message(live, f"message {n}")
    with pytest.raises(Refusal, match="NOT_FOUND"):
        await bob.replays(session)
    connection = await asyncpg.connect(dsn(one.settings.database_url))
    assert await connection.fetchval(LISTENERS) == 0
    await connection.close()


@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_without_redis_events_arrive_later_and_the_bus_reconnects(redis, degraded_polling, fault):
    one, other = degraded_polling
    ann, elsewhere = one.user("ann"), other.user("ann")
    session = await ann.creates_session("Without")
    async with elsewhere.follows(session) as live:
        await live.until("CaughtUp")
        redis.kill() if fault == "killed" else redis.freeze()
        await until_degraded(one, other)
        for n in range(3):
            await ann.appends(session, f"while it is {fault} {n}")
            await assert_next_message(live, f"while it is {fault} {n}")
        degraded, metrics = await bus_state(other)
        assert degraded == ["wake-ups: Redis is out of reach; live readers poll"]
        assert (metrics["colloquy_bus_healthy"], metrics['colloquy_bus_total{what="lost"}']) == (0, 1)
        redis.start() if fault == "killed" else redis.thaw()
        await asyncio.gather(one.ready(), other.ready())
        degraded, metrics = await bus_state(other)
        assert (degraded, metrics["colloquy_bus_healthy"], metrics['colloquy_bus_total{what="found"}']) == ([], 1, 2)
        await ann.appends(session, "through Redis again")  # without polls
        await assert_next_message(live, "through Redis again")


async def test_a_write_during_an_outage_arrives_after_reconnecting(redis, two):
    """The servers never poll: the unsent wake-up is kept, and every listener reads after reconnecting."""
    one, other = two
    ann, elsewhere = one.user("ann"), other.user("ann")
    session = await ann.creates_session("Kept")
    async with elsewhere.follows(session) as live:
        await live.until("CaughtUp")
        redis.kill()
        await ann.appends(session, "during the outage")
        redis.start()
        await assert_next_message(live, "during the outage")


async def test_a_server_starts_and_serves_without_redis(redis, fresh_database):
    redis.kill()
    async with serving(settings_for(await fresh_database(), redis_url=redis.url)) as server:
        session = await server.user("ann").creates_session("Alone")
        async with server.user("ann").follows(session) as live:
            await live.until("CaughtUp")
            await server.user("ann").appends(session, "local")
            await assert_next_message(live, "local")  # subscribers of the same process need no bus
        assert (await bus_state(server))[0]
        redis.start()
        await server.ready()


async def test_a_wake_up_has_ids_and_revisions_and_no_data(redis, two):
    ann = two[0].user("ann")
    async with AsyncExitStack() as stack:
        spy = await stack.enter_async_context(Redis.from_url(redis.url))
        pubsub = await stack.enter_async_context(spy.pubsub())
        await pubsub.subscribe(WAKE_UP_CHANNEL)
        session = await ann.creates_session("A secret title", metadata={"secret": "metadata"})
        changes = [await next_change(pubsub)]
        await ann.appends(session, "a secret text")
        changes.append(await next_change(pubsub))
        await spy.publish(WAKE_UP_CHANNEL, "not a wake-up")
        await spy.publish(WAKE_UP_CHANNEL, "[1, [2]]")
    row = session.removeprefix("ses_")
    assert changes == [["ann", row, 1], ["ann", row, 3]]  # the first message is the session's second change too
    assert all([(await bus_state(server))[0] == [] for server in two])


async def next_change(pubsub):
    """The only change of the next wake-up that is not a heartbeat."""
    while True:
        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=10)
        _process_id, changes = json.loads(message["data"]) if message else (None, [])
        if changes:
            [change] = changes
            return change


async def test_a_password_in_the_url_is_not_logged(capsys, caplog, redis):
    wrong = redis.url.replace("not%20in", "nor%20in")
    async with serving(settings_for("postgresql+asyncpg://nobody@127.0.0.1:1/none", redis_url=wrong)):
        while "live.bus_disconnected" not in "".join([*capsys.readouterr(), caplog.text]):
            await asyncio.sleep(0.05)
    assert PASSWORD.split()[1] not in caplog.text


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fates=st.lists(st.sampled_from(FATES), min_size=4, max_size=30))
async def test_lost_doubled_and_reordered_wake_ups_change_no_event(unreliable, fates):
    one, other, proxy = unreliable
    ann, elsewhere = one.user("ann"), other.user("ann")
    session = await ann.creates_session("Unreliable", status="ACTIVE")
    proxy.fates = fates
    async with elsewhere.follows(session) as live:
        await live.until("CaughtUp")
        for n in range(12):
            await ann.appends(session, str(n))
            await asyncio.sleep(0.025 * (n % 3))  # some of them share a wake-up
        received = [(await anext(live))["message"]["sequence"] for _ in range(12)]
    assert received == list(range(1, 13))
