"""Measures Colloquy, and stock Strawberry beside it, on one core; PostgreSQL and the subscribers on another."""

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
from bench import data, servers, usage
from bench.live import measures, report
from bench.live.report import Found
from bench.report import machine
from bench.servers import PEERS, Peer

PLACE = servers.ROOT / ".bench"
RESULTS = servers.ROOT / "bench/results"
DATABASE = "bench_live"
UNLIMITED = {"MAX_SUBSCRIBERS_PER_USER": "10000", "MAX_SUBSCRIBERS": "20000"}
FILES = 16_384
RATES = {"colloquy": (1, 20), "stock": (1,)}  # 20 a second would take stock ten cores


def main(
    only: Annotated[str, typer.Option(help="Which servers, with commas.")] = "colloquy,stock",
    quiet: Annotated[int, typer.Option(help="Subscribers who only wait.")] = 4_000,
    crowd: Annotated[int, typer.Option(help="Subscribers of one session.")] = 500,
    seconds: Annotated[float, typer.Option(help="Of each rate of messages.")] = 20,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and shorter; writes nothing.")] = False,
) -> None:
    """Measure what live costs; the report goes to bench/results/live.md."""
    if quick:
        quiet, crowd, seconds = 500, 100, 5
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds: no server stays behind
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))  # the servers inherit it
    server_core, other_core = sorted(os.sched_getaffinity(0))[:2]
    usage.pin_me(other_core)
    PLACE.mkdir(exist_ok=True)
    found = {}
    with embedded_postgres(PLACE) as server:
        postgres = int((PLACE.resolve() / "data/postmaster.pid").read_text().split()[0])
        usage.pin(postgres, other_core)
        for name in only.split(","):
            found[name] = _measured(PEERS[name], server, postgres, server_core, (quiet, crowd, seconds))
    text = report.markdown(found, _facts(seconds))
    print(text)
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "live.md").write_text(text)


def _measured(peer: Peer, server: str, postgres: int, core: int, sizes: tuple[int, int, float]) -> Found:
    quiet, crowd, seconds = sizes
    peer = replace(peer, environment={**peer.environment, **UNLIMITED})
    found, url = Found(), asyncio.run(_fresh(server))
    for which, shared in (("of one session", True), ("each of its own", False)):
        with servers.running(peer, url, core, PLACE) as running:
            found.quiet[which] = uvloop.run(measures.quiet(running, quiet, shared=shared))
        print(peer.name, which, asdict(found.quiet[which]), flush=True)
    with servers.running(peer, url, core, PLACE) as running:
        for rate in RATES[peer.name]:
            found.fan_out.append(uvloop.run(measures.fan_out(running, postgres, crowd, rate, seconds)))
            print(peer.name, asdict(found.fan_out[-1]), flush=True)
        found.answer = uvloop.run(measures.answer(running, postgres))
        print(peer.name, asdict(found.answer), flush=True)
    return found


async def _fresh(server: str) -> str:
    """The URL of a new, migrated database."""
    async with data.connected(server) as connection:
        await connection.execute(f"drop database if exists {DATABASE} with (force)")
        await connection.execute(f"create database {DATABASE}")
    url = data.named(server, DATABASE)
    await asyncio.to_thread(migrate.upgrade, url)
    return url


def _facts(seconds: float) -> dict[str, str]:
    line = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(line, cwd=servers.ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "When": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit}",
        "Machine": machine(),
        "Each": f"one server process on one core, PostgreSQL and all subscribers on another; {seconds:g} s a rate",
        "Latency": "from the moment that the append is sent to the moment that the subscriber has read the event",
    }


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(main)
    cli()
