"""Starts all servers and measures them in one run, every server in every round."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.db.operations.embedded import embedded_postgres
from bench import answers, data, load, open_loop, report, servers, sizing, summary
from bench.memory import memory
from bench.results import Results
from bench.servers import PEERS, UNCACHED, RunningPeer
from bench.workloads import COMPARED, WORKLOADS, Workload
from harness import usage
from harness.machine import load_average
from harness.postgres import postmaster
from harness.server_settings import token

WORK_DIRECTORY = servers.ROOT / ".bench"
RESULTS = servers.ROOT / "bench/results"
PAGE = servers.ROOT / "docs/benchmark.md"
OPEN_RATE = 1_000
LAST_PAGE_AFTER = "m.999900"


def main(
    workloads: Annotated[
        str, typer.Option(help="Which, separated by commas; W6 creates 1,000,000 messages first.")
    ] = ",".join(COMPARED),
    only: Annotated[str, typer.Option(help="Which servers, separated by commas, besides Colloquy.")] = ",".join(PEERS),
    processes: Annotated[int, typer.Option(help="Of each server, one after the other.", min=1)] = 3,
    rounds: Annotated[int, typer.Option(help="Of each process.", min=1)] = 2,
    seconds: Annotated[int, typer.Option(help="Length of a round.", min=1)] = 2,
    open_seconds: Annotated[float, typer.Option(help="Length of the open loop, if not 0.")] = 0,
    requests: Annotated[int, typer.Option(help="Requests while memory is measured, if not 0.")] = 0,
    full: Annotated[
        bool, typer.Option("--full", help="All workloads in longer rounds, an open loop, and memory: 90 minutes.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Colloquy and rest in three rounds; writes nothing.")] = False,
) -> None:
    """Compare Colloquy with its peers; the report goes to bench/results, its table to docs/benchmark.md.

    What an earlier run has measured of other workloads stays.
    """
    if quick:
        only, processes, rounds = "rest", 1, 3
    if full:
        workloads, rounds, seconds, open_seconds, requests = ",".join([*WORKLOADS, "W6"]), 3, 5, 60, 200_000
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that every started server is stopped
    names = ["colloquy", *(name for name in PEERS if name != "colloquy" and name in only.split(","))]
    try:
        bench = Bench(names, processes, rounds, seconds, open_seconds, requests)
        bench.run(workloads.split(","))
    except (load.WrongAnswer, answers.Different) as error:
        sys.exit(str(error))
    print(summary.tables(bench.results))
    if not quick:
        write(bench.results)


def write(results: Results) -> None:
    """Writes the report, every round, and a picture; what was measured before of other workloads stays."""
    from bench.plot import plot  # matplotlib is not needed for a quick run

    RESULTS.mkdir(exist_ok=True)
    numbers = RESULTS / "latest.json"
    if numbers.exists():
        results = results.merged_into(Results.read(numbers))
    (RESULTS / "latest.md").write_text(report.markdown(results))
    results.write(numbers)
    plot(results.rounds, RESULTS / "latest.png")
    PAGE.write_text(summary.renewed(PAGE.read_text(), results))
    sizing.write()


class Bench:
    """One run: which servers, how often and for how long; an open loop or a memory test of length 0 is left out.

    One process of a server may take a tenth less CPU than another, for all of its life: so several are measured.
    """

    def __init__(
        self, names: list[str], processes: int, rounds: int, seconds: int, open_seconds: float, requests: int
    ) -> None:
        self.names, self.processes, self.rounds, self.seconds = names, processes, rounds, seconds
        self.open_seconds, self.requests = open_seconds, requests
        self.results = Results({}, {}, None, None)
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise typer.BadParameter("The server needs a core of its own; this machine has one.")
        self.server_core, self.other_core = cores[:2]

    def run(self, workloads: list[str]) -> None:
        """Measures all workloads into `results`."""
        _require_programs(self.names)
        usage.pin_this_process(self.other_core)
        WORK_DIRECTORY.mkdir(exist_ok=True)
        with embedded_postgres(WORK_DIRECTORY) as server:
            self.postgres = postmaster(WORK_DIRECTORY)
            usage.pin(self.postgres, self.other_core)
            try:
                if usual := [workload for name, workload in WORKLOADS.items() if name in workloads]:
                    for number in range(self.processes):
                        self._measure_usual(asyncio.run(data.fresh(server, data.USUAL)), usual, is_first=number == 0)
                if "W6" in workloads:
                    self._measure_deep_page(asyncio.run(data.fresh(server, data.LONG)))
            finally:
                asyncio.run(data.drop(server))
        self.results.facts |= {workload: self._facts() for workload in self.results.rounds}

    def _measure_usual(self, url: str, workloads: list[Workload], *, is_first: bool) -> None:
        """All workloads with one process of each server."""
        sessions = asyncio.run(data.sessions_of(url))
        with ExitStack() as stack:
            running = {
                peer.name: stack.enter_context(servers.running(peer, url, self.server_core, WORK_DIRECTORY))
                for peer in (UNCACHED, *(PEERS[name] for name in self.names))
            }
            for workload in workloads:
                able = {name: running[name] for name in self.names if workload.name in PEERS[name].workloads}
                if workload.cold:
                    able["colloquy"] = running[UNCACHED.name]
                for document in workload.documents:
                    answers.compare(list(able.values()), document, sessions)
                loads = {
                    name: (server, load.write_requests(server.peer, workload, sessions, WORK_DIRECTORY))
                    for name, server in able.items()
                }
                measured = self.results.rounds.setdefault(workload.name, {name: [] for name in loads})
                for name, rounds in self._alternate(workload.name, loads).items():
                    measured[name] += rounds
                if is_first and workload.name == "W1-cold":
                    self._measure_colloquy(running["colloquy"], loads["colloquy"][1])

    def _measure_colloquy(self, server: RunningPeer, requests: Path) -> None:
        """The measurements that no other server is part of."""
        if self.open_seconds:
            self.results.open_loop = open_loop.open_loop(server, requests, OPEN_RATE, self.open_seconds)
        if self.requests:
            self.results.memory = memory(server, requests, self.requests, self.postgres)

    def _measure_deep_page(self, url: str) -> None:
        """Page 1 and page 10,000 of the one long session, in alternating rounds as if they were two servers."""
        [(owner, session)] = asyncio.run(data.sessions_of(url))
        with servers.running(PEERS["colloquy"], url, self.server_core, WORK_DIRECTORY) as server:
            loads = {}
            for page, after in (("page 1", None), ("page 10,000", LAST_PAGE_AFTER)):
                request = PEERS["colloquy"].request("W6", owner, {"id": f"ses_{session}", "after": after})
                file = WORK_DIRECTORY / f"W6-{page.replace(' ', '-')}.requests"
                file.write_text(f"{token(owner)}\t{json.dumps(request)}\n")
                loads[page] = server, file
            pages = self._alternate("W6", loads)
        self.results.rounds |= {f"W6 {page}": {"colloquy": rounds} for page, rounds in pages.items()}

    def _alternate(self, workload: str, loads: dict[str, tuple[RunningPeer, Path]]) -> dict[str, list[load.Round]]:
        """Every load in every round, each round beginning with another one, after a round that warms up."""
        names = list(loads)
        found: dict[str, list[load.Round]] = {name: [] for name in names}
        for number in range(-1, self.rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                one = load.round_of(*loads[name], self.seconds, self.postgres)
                if number >= 0:
                    found[name].append(one)
                figures = f"{one.cpu:7.3f} + {one.pg:.3f} ms {one.rate:6.0f} req/s"
                print(f"{workload} round {number + 1} of {self.rounds}: {name:12} {figures}", flush=True)
        return found

    def _facts(self) -> str:
        """When and how a workload was measured."""
        commit = _git("describe", "--always") + ("-dirty" if _git("diff", "HEAD", "--", ":!bench/results") else "")
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        length = f"{self.processes} processes of each server, {self.rounds} rounds of {self.seconds} s with each"
        return f"{now}, {length}, commit {commit}, load average {load_average()}"


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _require_programs(names: list[str]) -> None:
    """Raises BadParameter for what is not installed, before anything is started."""
    if not shutil.which("wrk"):
        raise typer.BadParameter("wrk is not installed. On Debian: apt install wrk")
    if any(servers.is_node(PEERS[name]) for name in names) and not servers.NODE.exists():
        raise typer.BadParameter(
            "The Node peers are not installed: npm ci --prefix bench/peers/node, or --only rest,raw"
        )


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(main)
    cli()
