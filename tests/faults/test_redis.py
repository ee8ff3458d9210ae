"""Wake-ups by Redis: at once while it is there, later when it is not, and never anything but ids and numbers."""

import asyncio
import json
from contextlib import AsyncExitStack

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from app.live import hub
from app.live.shared_bus import CHANNEL, SharedBus
from harness.postgres import dsn
from harness.redis_server import PASSWORD, redis_server
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.users import Refusal

NEVER = 3600
LISTENERS = "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'"


@pytest.fixture
def redis():
    with redis_server() as running:
        yield running


@pytest.fixture
def polls(monkeypatch):
    """`polls(every, degraded)`: how long whoever is not woken sleeps, in seconds."""

    def set_to(every, degraded):
        monkeypatch.setattr(hub, "POLL_SECONDS", every)
        monkeypatch.setattr(hub, "DEGRADED_POLL_SECONDS", degraded)

    set_to(NEVER, NEVER)
    return set_to


@pytest.fixture
async def two(redis, fresh_database):
    """Two servers on one database, which wake each other through Redis."""
    given = settings_for(await fresh_database(), redis_url=redis.url)
    async with serving(given) as one, serving(given) as other:
        await asyncio.gather(one.ready(), other.ready())
        yield one, other


async def told(server):
    """What a server says of its wake-ups, by `/readyz` and by `/metrics`."""
    answer = await server.http.get(f"{server.url}/readyz")
    assert answer.status_code == 200, "no balancer may take away a server that works"
    page = (await server.http.get(f"{server.url}/metrics")).text.splitlines()
    figures = [line.rsplit(" ", 1) for line in page if line.startswith("colloquy_bus")]
    return answer.json()["degraded"], {name: float(value) for name, value in figures}


async def until_degraded(*servers):
    for server in servers:
        while not (await told(server))[0]:
            await asyncio.sleep(0.05)


async def hears(stream, text):
    """Returns once the stream has told of the message, and of no other on the way."""
    assert (await stream.until("MessageAdded"))[-1]["message"]["text"] == text


async def test_a_write_at_one_server_wakes_a_reader_at_another_by_redis_alone(polls, two):
    one, other = two
    ann, elsewhere, bob = one.user("ann"), other.user("ann"), other.user("bob")
    session = await ann.creates_session("Two")
    async with elsewhere.follows(session) as live:
        await live.until("CaughtUp")
        for n in range(3):
            await ann.appends(session, f"said {n}")
            await hears(live, f"said {n}")
    with pytest.raises(Refusal, match="NOT_FOUND"):
        await bob.replays(session)
    connection = await asyncpg.connect(dsn(one.settings.database_url))
    assert await connection.fetchval(LISTENERS) == 0
    await connection.close()


@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_without_redis_all_goes_on_later_and_it_heals_by_itself(polls, redis, two, fault):
    one, other = two
    ann, elsewhere = one.user("ann"), other.user("ann")
    session = await ann.creates_session("Without")
    async with elsewhere.follows(session) as live:
        await live.until("CaughtUp")
        polls(NEVER, 0.2)
        redis.kill() if fault == "killed" else redis.freeze()
        await until_degraded(one, other)
        for n in range(3):
            await ann.appends(session, f"while it is {fault} {n}")
            await hears(live, f"while it is {fault} {n}")
        degraded, figures = await told(other)
        assert degraded == ["wake-ups: Redis is out of reach; live readers poll"]
        assert (figures["colloquy_bus_healthy"], figures['colloquy_bus_total{what="lost"}']) == (0, 1)
        redis.start() if fault == "killed" else redis.thaw()
        await asyncio.gather(one.ready(), other.ready())
        degraded, figures = await told(other)
        assert (degraded, figures["colloquy_bus_healthy"], figures['colloquy_bus_total{what="found"}']) == ([], 1, 2)
        polls(NEVER, NEVER)
        await ann.appends(session, "one more look")  # whoever still sleeps by the old rule wakes up once
        await hears(live, "one more look")
        await ann.appends(session, "at once again")
        await hears(live, "at once again")


async def test_what_was_written_as_redis_died_is_told_when_it_is_back(polls, redis, two):
    """Nobody polls: the wake-up that could not be said is kept, and everybody looks on reconnecting."""
    one, other = two
    ann, elsewhere = one.user("ann"), other.user("ann")
    session = await ann.creates_session("Kept")
    async with elsewhere.follows(session) as live:
        await live.until("CaughtUp")
        redis.kill()
        await ann.appends(session, "said to nobody")
        redis.start()
        await hears(live, "said to nobody")


async def test_a_server_starts_and_serves_without_redis(redis, fresh_database):
    redis.kill()
    async with serving(settings_for(await fresh_database(), redis_url=redis.url)) as server:
        session = await server.user("ann").creates_session("Alone")
        async with server.user("ann").follows(session) as live:
            await live.until("CaughtUp")
            await server.user("ann").appends(session, "heard")
            await hears(live, "heard")  # readers of the same process need no bus
        assert (await told(server))[0]
        redis.start()
        await server.ready()


async def test_a_wake_up_carries_ids_and_numbers_and_no_data(polls, redis, two):
    ann = two[0].user("ann")
    async with AsyncExitStack() as stack:
        spy = await stack.enter_async_context(Redis.from_url(redis.url))
        ears = await stack.enter_async_context(spy.pubsub())
        await ears.subscribe(CHANNEL)
        session = await ann.creates_session("A secret title", metadata={"secret": "metadata"})
        changes = [await next_move(ears)]
        await ann.appends(session, "a secret text")
        changes.append(await next_move(ears))
        await spy.publish(CHANNEL, "not a wake-up")
        await spy.publish(CHANNEL, "[1, [2]]")
    row = session.removeprefix("ses_")
    assert changes == [["ann", row, 1], ["ann", row, 3]]  # the first message is the session's second change too
    assert all([(await told(server))[0] == [] for server in two])


async def next_move(ears):
    """The one move of the next wake-up that is no beat."""
    while True:
        message = await ears.get_message(ignore_subscribe_messages=True, timeout=10)
        _node, moved = json.loads(message["data"]) if message else (None, [])
        if moved:
            [move] = moved
            return move


async def test_a_password_in_the_url_is_not_logged(capsys, caplog, redis):
    wrong = redis.url.replace("not%20in", "nor%20in")
    async with serving(settings_for("postgresql+asyncpg://nobody@127.0.0.1:1/none", redis_url=wrong)):
        while "live.bus_lost" not in "".join([*capsys.readouterr(), caplog.text]):
            await asyncio.sleep(0.05)
    assert PASSWORD.split()[1] not in caplog.text


class Unreliable:
    """A network that loses, doubles and holds back wake-ups: one fate for each, in their turn."""

    def __init__(self, fates):
        self.fates, self.held, self.hears = list(fates), [], SharedBus.hear

    def hear(self, bus, payload):
        """In place of a bus's own; a beat is let through, or the bus would take itself for deaf."""
        if b"ann" not in payload:
            return self.hears(bus, payload)
        fate = self.fates.pop() if self.fates else "passed on"
        if fate == "held back":
            self.held.append(payload)
            return False
        for late in [payload] * COPIES[fate] + self.held[::-1]:
            self.hears(bus, late)
        self.held = []
        return False


COPIES = {"lost": 0, "passed on": 1, "doubled": 2}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fates=st.lists(st.sampled_from([*COPIES, "held back"]), min_size=4, max_size=30))
async def test_lost_doubled_and_disordered_wake_ups_change_no_event(polls, monkeypatch, two, fates):
    polls(0.2, 0.2)
    ann, elsewhere = two[0].user("ann"), two[1].user("ann")
    session = await ann.creates_session("Unreliable", status="ACTIVE")
    network = Unreliable(fates)
    with monkeypatch.context() as patched:
        patched.setattr(SharedBus, "hear", lambda bus, payload: network.hear(bus, payload))
        async with elsewhere.follows(session) as live:
            await live.until("CaughtUp")
            for n in range(12):
                await ann.appends(session, str(n))
                await asyncio.sleep(0.025 * (n % 3))  # some together in one wake-up
            heard = [(await anext(live))["message"]["sequence"] for _ in range(12)]
    assert heard == list(range(1, 13))
