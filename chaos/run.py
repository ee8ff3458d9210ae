"""One experiment from its start to its counts."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import httpx2
from sqlalchemy.engine import make_url

from app.db.operations import migrate
from chaos import counts as counting
from chaos.context import Context
from chaos.counts import Counts
from chaos.experiments import Experiment
from chaos.faults import SHUTDOWN_SECONDS
from chaos.load import loaded
from harness.postgres import NewDatabase, PostgresServer
from harness.redis_server import RedisServer
from harness.replication import Replication, replicated
from harness.server_process import ServerProcess, check

GIVE_UP_SECONDS = 30


async def run(
    experiment: Experiment, seed: int, postgres: PostgresServer, database: NewDatabase, directory: Path, quick: bool
) -> Counts:
    """Breaks and counts; the same seed makes the same choices, though not at the same moments."""
    random = Random(f"{seed} {experiment.name}")
    async with (
        _replication(experiment) as replication,
        _servers(experiment, url := replication.url if replication else await database(), replication, directory) as (
            servers,
            redis,
        ),
        loaded(str(seed), [server.url for server in servers], random) as (load, probe),
    ):
        name = "postgres" if replication else str(make_url(url).database)
        context = Context(postgres, name, servers, redis, replication, random, load, probe, Counts(), quick, directory)
        await probe.round_trip()
        for _ in range(experiment.quick_times if quick else experiment.times):
            await _break_once(experiment, context)
        await load.wait_for_acts()
        await load.finish_writing()
        await counting.count(load, context.counts)
        broken = await asyncio.to_thread(check, url, directory)
    context.counts.broken_rules = context.counts.find("colloquy check", broken)
    return context.counts


async def _break_once(experiment: Experiment, context: Context) -> None:
    """One fault, and the time until the probe's next write is acknowledged and received."""
    await context.load.wait_for_acts()
    began = time.monotonic()
    restored = await experiment.fault(context)
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            await context.probe.round_trip()
    except TimeoutError:
        ended = [f"{one.name} ended with {one.exit_code}" for one in context.servers if one.exit_code is not None]
        context.counts.findings.append(f"the probe did not return within {GIVE_UP_SECONDS} s; {', '.join(ended)}")
    context.counts.faults += 1
    context.counts.recoveries.append(time.monotonic() - restored)
    if not experiment.harmless:
        context.load.fault_windows.append((began, time.monotonic()))


@asynccontextmanager
async def _replication(experiment: Experiment) -> AsyncIterator[Replication | None]:
    """A migrated PostgreSQL with standbys, if the experiment has some."""
    if not experiment.standbys:
        yield None
        return
    async with replicated(standbys=experiment.standbys, synchronous=True) as group:
        await asyncio.to_thread(migrate.upgrade, group.url)
        yield group


@asynccontextmanager
async def _servers(
    experiment: Experiment, url: str, replication: Replication | None, directory: Path
) -> AsyncIterator[tuple[list[ServerProcess], RedisServer | None]]:
    """Ready replicas, and Redis if the experiment has one; killed at the end."""
    settings = {"LOG_LEVEL": "WARNING", "SHUTDOWN_SECONDS": str(SHUTDOWN_SECONDS), "WORKERS": str(experiment.workers)}
    if replication and experiment.read_on_standbys:
        settings["DATABASE_REPLICA_URLS"] = ",".join(node.url for node in replication.standbys)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=5))
        redis = None
        if experiment.redis:
            redis = RedisServer(directory, f"{experiment.name} redis")
            stack.callback(redis.kill)
            await asyncio.to_thread(redis.wait_until_listening, redis.port)
            settings["REDIS_URL"] = redis.url
        servers = []
        for number in range(experiment.replicas):
            server = ServerProcess(f"{experiment.name} {number}", url, directory, http, **settings)
            stack.callback(server.kill)
            servers.append(server)
        for server in servers:
            await server.ready()
        yield servers, redis
