"""Measures Colloquy and stock Strawberry, each on one core; PostgreSQL and the subscribers run on another."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated

import typer
import uvloop

from app.db.operations import migrate
from app.db.operations.embedded import embedded_postgres
from bench import servers
from bench.live import measures, report
from bench.live.report import Results
from bench.servers import PEERS, Peer
from harness import usage
from harness.machine import machine
from harness.postgres import at, connected, postmaster

WORK_DIRECTORY = servers.ROOT / ".bench"
RESULTS_DIRECTORY = servers.ROOT / "bench/results"
DATABASE = "bench_live"
UNLIMITED = {"MAX_SUBSCRIBERS_PER_USER": "10000", "MAX_SUBSCRIBERS": "20000"}
MAX_OPEN_FILES = 16_384
RATES = {"colloquy": (1, 20), "stock": (1,)}  # at 20 per second stock would need ten cores


def main(
    only: Annotated[str, typer.Option(help="Which servers, separated by commas.")] = "colloquy,stock",
    idle: Annotated[int, typer.Option(help="Subscribers that only wait.")] = 4_000,
    sharing: Annotated[int, typer.Option(help="Subscribers of one session.")] = 500,
    seconds: Annotated[float, typer.Option(help="Length of the test of each message rate.")] = 20,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer subscribers, shorter tests; writes nothing.")] = False,
) -> None:
    """Measure the cost of live delivery; the report goes to bench/results/live.md."""
    if quick:
        idle, sharing, seconds = 500, 100, 5
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that every started server is stopped
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_OPEN_FILES, MAX_OPEN_FILES))  # the servers inherit it
    server_core, other_core = sorted(os.sched_getaffinity(0))[:2]
    usage.pin_this_process(other_core)
    WORK_DIRECTORY.mkdir(exist_ok=True)
    results = {}
    with embedded_postgres(WORK_DIRECTORY) as server:
        postgres = postmaster(WORK_DIRECTORY)
        usage.pin(postgres, other_core)
        for name in only.split(","):
            results[name] = _measure(PEERS[name], server, postgres, server_core, (idle, sharing, seconds))
    text = report.markdown(results, _facts(seconds))
    print(text)
    if not quick:
        RESULTS_DIRECTORY.mkdir(exist_ok=True)
        (RESULTS_DIRECTORY / "live.md").write_text(text)


def _measure(peer: Peer, server: str, postgres: int, core: int, sizes: tuple[int, int, float]) -> Results:
    idle, sharing, seconds = sizes
    peer = replace(peer, environment={**peer.environment, **UNLIMITED})
    results, url = Results(), asyncio.run(_fresh(server))
    for kind, shared in (("of one session", True), ("each of its own", False)):
        with servers.running(peer, url, core, WORK_DIRECTORY) as running:
            results.idle[kind] = uvloop.run(measures.idle(running, idle, shared=shared))
        print(peer.name, kind, asdict(results.idle[kind]), flush=True)
    with servers.running(peer, url, core, WORK_DIRECTORY) as running:
        for rate in RATES[peer.name]:
            results.fan_out.append(uvloop.run(measures.fan_out(running, postgres, sharing, rate, seconds)))
            print(peer.name, asdict(results.fan_out[-1]), flush=True)
        results.answer = uvloop.run(measures.answer(running, postgres))
        print(peer.name, asdict(results.answer), flush=True)
    return results


async def _fresh(server: str) -> str:
    """The URL of a new, migrated database."""
    async with connected(server) as connection:
        await connection.execute(f"drop database if exists {DATABASE} with (force)")
        await connection.execute(f"create database {DATABASE}")
    url = at(server, DATABASE)
    await asyncio.to_thread(migrate.upgrade, url)
    return url


def _facts(seconds: float) -> dict[str, str]:
    command = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "When": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit}",
        "Machine": machine(),
        "Each": f"one server process on one core, PostgreSQL and all subscribers on another; {seconds:g} s per rate",
        "Latency": "from sending the append until the subscriber has read the event",
    }


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(main)
    cli()
