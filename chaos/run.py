"""One experiment from start to count."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import httpx2
from sqlalchemy.engine import make_url

from chaos import counts as counting
from chaos.arena import Arena
from chaos.counts import Counts
from chaos.experiments import Experiment
from chaos.load import loaded
from chaos.places import Postgres, Redis, Server, check

GIVE_UP_SECONDS = 30
Fresh = Callable[[], Awaitable[str]]


async def run(experiment: Experiment, seed: int, postgres: Postgres, fresh: Fresh, place: Path, quick: bool) -> Counts:
    """Breaks and counts; the same seed makes the same choices, though not at the same moments."""
    random, url = Random(f"{seed} {experiment.name}"), await fresh()
    async with (
        _servers(experiment, url, place) as (servers, redis),
        loaded(str(seed), [server.url for server in servers], random) as (load, probe),
    ):
        database = str(make_url(url).database)
        arena = Arena(postgres, database, servers, redis, random, load, probe, Counts(), quick)
        await probe.heard()
        for _ in range(experiment.quick_times if quick else experiment.times):
            await _once(experiment, arena)
        await load.goes_on()
        await load.ends()
        await counting.count(load, arena.counts)
    code, said = await check(url, place)
    arena.counts.broken_rules = arena.counts.find("colloquy check", said.splitlines() if code else [])
    return arena.counts


async def _once(experiment: Experiment, arena: Arena) -> None:
    """One fault, and how long until a probe is acknowledged and heard."""
    await arena.load.goes_on()
    began = time.monotonic()
    whole = await experiment.fault(arena)
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await arena.probe.heard()
    except TimeoutError:
        ended = [f"{one.name} ended with {one.process.returncode}" for one in arena.servers if one.process.poll()]
        arena.counts.findings.append(f"a probe was not heard within {GIVE_UP_SECONDS} s; {', '.join(ended)}")
    arena.counts.faults += 1
    arena.counts.recoveries.append(time.monotonic() - whole)
    if not experiment.harmless:
        arena.load.windows.append((began, time.monotonic()))


@asynccontextmanager
async def _servers(experiment: Experiment, url: str, place: Path) -> AsyncIterator[tuple[list[Server], Redis | None]]:
    settings = {}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=5))
        redis = None
        if experiment.redis:
            redis = Redis(f"{experiment.name} redis", place)
            stack.callback(redis.kill)
            await redis.ready()
            settings["REDIS_URL"] = redis.url
        servers = []
        for number in range(experiment.replicas):
            server = Server(f"{experiment.name} {number}", url, place, **settings)
            stack.callback(server.kill)
            servers.append(server)
        for server in servers:
            await server.ready(http)
        yield servers, redis
