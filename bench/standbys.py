"""What a page of 50 messages costs the primary when a standby answers it: `python -m bench.standbys`.

The same server program without and with DATABASE_REPLICA_URLS, in alternating rounds; the server has one core,
everything else another one. Milliseconds of CPU per request.
"""

import asyncio
import os
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.request import urlopen

import orjson
import typer

from app.db.operations import migrate
from bench import data, load, servers
from bench.servers import Peer, RunningPeer
from bench.workloads import WORKLOADS, Session
from harness import usage
from harness.postgres import connected, postmaster
from harness.replication import Replication, replicated

ROWS = data.DataSet("bench_standbys", owners=20, sessions=10, messages=60)
CACHES = {"W1-cold": "0", "W1-warm": str(2**26)}
Cost = tuple[float, float, float]
"""Of the server, the primary and the standby."""


def main(rounds: Annotated[int, typer.Option(min=1)] = 3, seconds: Annotated[int, typer.Option(min=1)] = 5) -> None:
    """Measure what is left for the primary."""
    asyncio.run(_measure(rounds, seconds))


async def _measure(rounds: int, seconds: int) -> None:
    server_core, other_core = sorted(os.sched_getaffinity(0))[:2]
    usage.pin_this_process(other_core)
    async with replicated(standbys=1, synchronous=False) as group:
        await asyncio.to_thread(migrate.upgrade, group.primary.url)
        async with connected(group.primary.url) as connection:
            await data.fill(connection, ROWS)
            await connection.execute("checkpoint")  # otherwise the primary writes it out during the rounds
        await group.caught_up()
        sessions = await data.sessions_of(group.primary.url)
        for workload in CACHES:
            await asyncio.to_thread(_compare, group, workload, sessions, rounds, seconds, server_core)


def _compare(group: Replication, workload: str, sessions: list[Session], rounds: int, seconds: int, core: int) -> None:
    cache = {"SESSION_CACHE_BYTES": CACHES[workload]}
    without = Peer("primary", servers.colloquy, environment=cache)
    reading = Peer("standby", servers.colloquy, environment=cache | {"DATABASE_REPLICA_URLS": group.standbys[0].url})
    found: dict[str, list[Cost]] = {without.name: [], reading.name: []}
    with TemporaryDirectory() as name:
        directory = Path(name)
        url = group.primary.url
        with (
            servers.running(without, url, core, directory) as one,
            servers.running(reading, url, core, directory) as two,
        ):
            for number in range(-1, rounds):
                for server in (one, two):
                    _wait_until_ready(server)
                    requests = load.write_requests(server.peer, WORKLOADS[workload], sessions, directory)
                    cost = _cost(group, server, requests, seconds)
                    if number >= 0:
                        found[server.name].append(cost)
    for name, costs in found.items():
        figures = [median(parts) for parts in zip(*costs, strict=True)]
        print(f"{workload:8} {name:8}" + "".join(f"{figure:8.3f}" for figure in figures), flush=True)


def _cost(group: Replication, server: RunningPeer, requests: Path, seconds: int) -> Cost:
    standby = postmaster(group.standbys[0].root)
    before = usage.cpu_ms(standby)
    one = load.round_of(server, requests, seconds, postmaster(group.primary.root))
    return one.cpu, one.pg, (usage.cpu_ms(standby) - before) / one.requests


def _wait_until_ready(server: RunningPeer) -> None:
    while True:
        with urlopen(server.url.removesuffix("graphql") + "readyz") as answer:
            if not orjson.loads(answer.read())["degraded"]:
                return
        time.sleep(0.1)


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(main)
    cli()
