"""What a second worker brings on a second core, simulated on two cores: `python -m bench.workers`.

The server's processes have one core; PostgreSQL and the load have the other one. In alternating rounds one worker is
loaded, and two workers, each with as many connections. Two workers on one core cannot answer more than one; what they
answer less is what several processes cost. On a core each they would answer twice as much as here:

    two workers on two cores = 2 x the rate of two on one core

Two things are unlike two cores, and mended. Processes that share a core interrupt each other at every request and empty
each other's caches, so each keeps the core for 50 ms (SCHED_BATCH). PostgreSQL and the load would be the limit for two
cores of workers, so the simulation assumes that they have the cores that they need. It holds only if the core of the
server was busy and the other one was not: both idle shares are printed, and a median outside the limits ends with 1.
"""

import asyncio
import os
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple
from urllib.request import urlopen

import typer

from app.db.operations.embedded import embedded_postgres
from bench import data, load, servers
from bench.servers import Peer, RunningPeer
from bench.workloads import WORKLOADS, Session, Workload
from harness import usage
from harness.machine import load_average, machine
from harness.postgres import postmaster

ROWS = data.DataSet("bench_workers", owners=50, sessions=20, messages=60)
NAMES = "W1-cold,W1-warm"
WORKERS = (1, 2)
CONNECTIONS = 64
SLICE_MS = 50
MAX_SERVER_IDLE, MIN_OTHER_IDLE = 0.05, 0.05
"""Shares of the time: the core of the server is idle for less, the other one for more."""


class Measured(NamedTuple):
    """Requests a second, milliseconds of the server's CPU for one, and how long each core was idle."""

    rate: float
    cpu: float
    server_idle: float
    other_idle: float


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    seconds: Annotated[int, typer.Option(min=1)] = 4,
    workloads: Annotated[str, typer.Option(help="Names with commas between them.")] = NAMES,
) -> None:
    """Measure one worker and two."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    usage.pin_this_process(cores[1])
    print(f"{machine()}, load average {load_average()}", flush=True)
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o711)
        with embedded_postgres(directory) as server:
            usage.pin(postmaster(directory), cores[1])
            url = asyncio.run(data.fresh(server, ROWS))
            sessions = asyncio.run(data.sessions_of(url))
            valid = [
                _compare(WORKLOADS[workload], url, sessions, rounds, seconds, cores, directory)
                for workload in workloads.split(",")
            ]
    raise typer.Exit(not all(valid))


def _compare(
    workload: Workload,
    url: str,
    sessions: list[Session],
    rounds: int,
    seconds: int,
    cores: list[int],
    directory: Path,
) -> bool:
    """Prints the medians of one workload. Returns whether the simulation holds."""
    found: dict[int, list[Measured]] = {number: [] for number in WORKERS}
    with ExitStack() as stack:
        running = {
            number: stack.enter_context(servers.running(_peer(number, workload), url, cores[0], directory))
            for number in WORKERS
        }
        for number, server in running.items():
            _wait_for_workers(server, number)
            usage.keep_core(server.pid, SLICE_MS)
        requests = load.write_requests(running[1].peer, workload, sessions, directory)
        for turn in range(-1, rounds):  # the first one warms up
            for number in WORKERS if turn % 2 else reversed(WORKERS):
                one = _measured(running[number], number, requests, seconds, postmaster(directory), cores)
                if turn >= 0:
                    found[number].append(one)
    return _report(workload.name, found)


def _peer(number: int, workload: Workload) -> Peer:
    cache = {"SESSION_CACHE_BYTES": "0"} if workload.cold else {}
    return Peer(f"workers-{number}", servers.colloquy, environment=cache | {"WORKERS": str(number)})


def _wait_for_workers(server: RunningPeer, number: int) -> None:
    while True:
        with urlopen(server.url.removesuffix("graphql") + "metrics") as answer:
            if f"\ncolloquy_workers {number:.1f}\n" in answer.read().decode():
                return
        time.sleep(0.1)


def _measured(
    server: RunningPeer, number: int, requests: Path, seconds: int, postgres: int, cores: list[int]
) -> Measured:
    before = list(map(_ticks, cores))
    one = load.round_of(server, requests, seconds, postgres, connections=number * CONNECTIONS)
    server_idle, other_idle = map(_idle, before, map(_ticks, cores))
    return Measured(one.rate, one.cpu, server_idle, other_idle)


def _report(name: str, found: dict[int, list[Measured]]) -> bool:
    pairs = list(zip(found[1], found[2], strict=True))
    gains = sorted(2 * two.rate / one.rate for one, two in pairs)
    print(f"{name}: two workers on two cores {median(gains):.2f} x one (least {gains[0]:.2f}, most {gains[-1]:.2f})")
    valid = True
    for number, rounds in found.items():
        rate, cpu, server_idle, other_idle = (median(values) for values in zip(*rounds, strict=True))
        holds = server_idle < MAX_SERVER_IDLE and other_idle > MIN_OTHER_IDLE
        print(
            f"  {number} on one core: {rate:.0f} requests/s, {cpu:.3f} ms of CPU,"
            f" idle {server_idle:.2f} and {other_idle:.2f}{'' if holds else ': DOES NOT HOLD'}",
            flush=True,
        )
        valid = valid and holds
    return valid


def _ticks(core: int) -> list[int]:
    """The time of a core since the start of the machine, by what it did."""
    lines = Path("/proc/stat").read_text().splitlines()
    return [int(field) for line in lines if line.startswith(f"cpu{core} ") for field in line.split()[1:9]]


def _idle(before: list[int], after: list[int]) -> float:
    """The share of the time without work, waits for the disk included."""
    spent = [now - then for then, now in zip(before, after, strict=True)]
    return (spent[3] + spent[4]) / sum(spent)


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(main)
    cli()
