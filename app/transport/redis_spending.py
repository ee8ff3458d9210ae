"""What each owner has spent, in Redis, for many replicas: one script and one round trip for each operation."""

import asyncio
from time import monotonic
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.structured_log import get_logger
from app.transport.spending import SLOTS, ProcessSpending, Spent

log = get_logger("colloquy.budget")

KEY = "colloquy:budget:"
RESPONSE_SECONDS = 1.0
RETRY_SECONDS = 1.0
CONNECTIONS = 16
MICROSECONDS = 1_000_000
SPEND = """
local limit, cost, width, slots = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local slot = math.floor(now / width)
local spent, costs = 0, redis.call('HGETALL', KEYS[1])
for i = 1, #costs, 2 do
    if tonumber(costs[i]) + slots >= slot then
        spent = spent + costs[i + 1]
    else
        redis.call('HDEL', KEYS[1], costs[i])
    end
end
local granted = spent + cost <= limit
if granted then
    redis.call('HINCRBY', KEYS[1], string.format('%.0f', slot), cost)
    redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((slots + 1) * width / 1000)))
end
return {granted and 1 or 0, string.format('%.0f', now), redis.call('HGETALL', KEYS[1])}
"""
"""The same rule as `ProcessSpending`, by the clock of Redis, in microseconds."""


class RedisSpending:
    """Shared by all processes of one Redis.

    Without Redis each process counts for itself: an owner can spend one budget in each, and nobody is locked out. Redis
    is tried again every RETRY_SECONDS, by one operation.
    """

    def __init__(self, url: str, limit: int, seconds: float) -> None:
        self.healthy = True
        self._limit, self._slot_microseconds = limit, int(seconds * MICROSECONDS / SLOTS)
        self._of_this_process = ProcessSpending(limit, seconds)
        self._retry_at = 0.0
        self._redis = Redis.from_pool(_pool(url))
        self._script = self._redis.register_script(SPEND)

    async def spend(self, owner: str, cost: int) -> Spent:
        """Adds the cost to what the owner has spent, unless that would exceed the limit."""
        if not self.healthy:
            if monotonic() < self._retry_at:
                return await self._of_this_process.spend(owner, cost)
            self._retry_at = monotonic() + RETRY_SECONDS
        try:
            async with asyncio.timeout(RESPONSE_SECONDS):
                spent = await self._spend(owner, cost)
        except (RedisError, OSError, TimeoutError) as error:
            self._on_failure(error)
            return await self._of_this_process.spend(owner, cost)
        if not self.healthy:
            self.healthy = True
            log.info("budget.redis_found")
        return spent

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    async def _spend(self, owner: str, cost: int) -> Spent:
        arguments = [self._limit, cost, self._slot_microseconds, SLOTS]
        granted, now, fields = await self._script(keys=[KEY + owner], args=arguments)
        costs = sorted(zip(map(int, fields[::2]), map(int, fields[1::2]), strict=True))
        free_at = [((slot + SLOTS + 1) * self._slot_microseconds, spent) for slot, spent in costs]
        return Spent(bool(granted), [((end - int(now)) / MICROSECONDS, spent) for end, spent in free_at])

    def _on_failure(self, error: Exception) -> None:
        if self.healthy:
            log.warning("budget.redis_lost", error=f"{type(error).__name__}: {error}")
        self.healthy = False
        self._retry_at = monotonic() + RETRY_SECONDS


def _pool(url: str) -> Any:
    """Few connections that wait for each other, in RESP2, which every compatible server supports."""
    return BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=RESPONSE_SECONDS,
        protocol=2,
        socket_timeout=RESPONSE_SECONDS,
        socket_connect_timeout=RESPONSE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
