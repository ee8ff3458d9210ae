"""Budgets in Redis: replicas share what an owner has spent, and count for themselves while Redis is away."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from app.transport.redis_spending import RedisSpending
from app.transport.spending import SLOTS, ProcessSpending
from harness.redis_server import PASSWORD, redis_server
from harness.server_settings import settings_for
from tests.support.servers import serving

LIMIT = 120
ADD = "mutation { createSession(input: {}) { session { id } errors { code } } }"
COUNT = "{ viewer { stats { sessionCount } } }"
DEGRADED = "budgets: Redis is out of reach; each process counts for itself"


@pytest.fixture
def redis():
    with redis_server() as running:
        running.wait_until_listening(running.port)
        yield running


@asynccontextmanager
async def servers(database_url, redis_url, number=2, **settings):
    """Replicas that share one database and one Redis."""
    changes = {"redis_url": redis_url, "budget_cost": LIMIT, "budget_seconds": 3600, **settings}
    if number == 0:
        yield []
        return
    async with (
        serving(settings_for(database_url, **changes)) as one,
        servers(database_url, redis_url, number - 1, **settings) as others,
    ):
        yield [one, *others]


async def spends(user, query=COUNT):
    """The budget after an operation, or the code of its refusal."""
    response = await user.responds(query)
    if "errors" in response:
        return response["errors"][0]["extensions"]["code"]
    return response["extensions"]["budget"]


async def exhausts(user):
    """Spends until the cheapest operation of these tests is refused."""
    while await spends(user) != "RATE_LIMITED":
        pass


async def test_replicas_share_the_budget_of_an_owner_and_of_nobody_else(redis, fresh_database):
    async with servers(await fresh_database(), redis.url) as (one, other):
        anns = [server.user("ann") for server in (one, other)]
        spent = [await spends(user) for user in anns * 2]
        assert [budget["remaining"] for budget in spent] == [LIMIT - 3 * n for n in range(1, 5)]
        await exhausts(anns[0])
        assert [await spends(user) for user in anns] == ["RATE_LIMITED"] * 2
        assert (await spends(other.user("bob")))["remaining"] == LIMIT - 3


async def test_concurrent_operations_on_two_replicas_never_exceed_the_budget(redis):
    replicas = [RedisSpending(redis.url, 100, 3600) for _ in range(2)]
    spent = await asyncio.gather(*(replicas[n % 2].spend("ann", 1 + n % 7) for n in range(120)))
    granted = sum(1 + n % 7 for n, result in enumerate(spent) if result.granted)
    assert granted <= 100
    assert granted == max(sum(cost for _, cost in result.costs) for result in spent)
    assert all(replica.healthy for replica in replicas)
    for replica in replicas:
        await replica.close()


async def test_redis_and_a_process_follow_one_rule(redis):
    """The same costs at the same moments; a short window, so that slots become free."""
    shared, own = RedisSpending(redis.url, 100, 1), ProcessSpending(100, 1)
    for stores in (shared, own):
        first = await stores.spend("ann", 100)
        assert first.granted
        [(seconds, cost)] = first.costs
        assert (cost, 1 < seconds <= 1 + 1 / SLOTS + 0.001) == (100, True)
        refused = await stores.spend("ann", 1)
        assert (refused.granted, sum(cost for _, cost in refused.costs)) == (False, 100)
        await asyncio.sleep(refused.costs[0][0] + 0.01)
        again = await stores.spend("ann", 100)
        assert (again.granted, [cost for _, cost in again.costs]) == (True, [100])
    await shared.close()


async def test_without_redis_each_process_counts_for_itself_until_redis_is_back(redis, fresh_database):
    async with servers(await fresh_database(), redis.url) as (one, other):
        await asyncio.gather(one.ready(), other.ready())
        ann, ann_elsewhere = one.user("ann"), other.user("ann")
        before = (await spends(ann))["remaining"]
        redis.kill()
        with capture_logs() as logs:
            first = [await spends(user) for user in (ann, ann_elsewhere)]
            assert [budget["remaining"] for budget in first] == [LIMIT - 3, LIMIT - 3]
            assert (await spends(ann))["remaining"] == LIMIT - 6
            await exhausts(ann)
        lost = [entry for entry in logs if entry["event"] == "budget.redis_lost"]
        assert len(lost) == 2, "once in each process"
        assert PASSWORD not in str(lost)
        assert DEGRADED in (await one.http.get(f"{one.url}/readyz")).json()["degraded"]
        assert "colloquy_budget_store_healthy 0.0" in (await one.http.get(f"{one.url}/metrics")).text
        redis.start()
        while DEGRADED in (await one.http.get(f"{one.url}/readyz")).json()["degraded"]:
            await spends(ann)
            await asyncio.sleep(0.05)
        assert (await spends(ann))["remaining"] > 0, f"Redis was started again; {before} were left in the first one"
        page = (await one.http.get(f"{one.url}/metrics")).text
        assert "colloquy_budget_store_healthy 1.0" in page
        assert 'colloquy_budget_operations_total{decision="refused"}' in page
        assert 'colloquy_budget_operations_total{decision="refused"} 0.0' not in page


async def test_a_redis_that_hangs_delays_one_operation_a_second(redis, fresh_database):
    async with servers(await fresh_database(), redis.url, 1) as [server]:
        ann = server.user("ann")
        await spends(ann)
        redis.freeze()
        try:
            assert (await spends(ann))["remaining"] == LIMIT - 3
            assert (await spends(ann))["remaining"] == LIMIT - 6
        finally:
            redis.thaw()


async def test_a_refused_mutation_writes_nothing(fresh_database):
    settings = settings_for(await fresh_database(), budget_cost=LIMIT, budget_seconds=3600)
    async with serving(settings) as server:
        ann, bob = server.user("ann"), server.user("bob")
        assert (await spends(ann, ADD))["cost"] > 3
        await exhausts(ann)
        assert await spends(ann, ADD) == "RATE_LIMITED"
        assert (await bob.asks(COUNT))["viewer"]["stats"]["sessionCount"] == 0
    async with serving(settings) as server:
        assert (await server.user("ann").asks(COUNT))["viewer"]["stats"]["sessionCount"] == 1
