"""Sets up and measures, side by side in one run, every server in every round."""

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
from bench import answers, data, load, openloop, report, servers, usage
from bench.memory import memory
from bench.servers import PEERS, Running

PLACE = servers.ROOT / ".bench"
RESULTS = servers.ROOT / "bench/results"
ORDINARY = ("W1", "W2", "W3", "W4", "W5")
OPEN_RATE = 1_000
LAST_PAGE_AFTER = "m.999900"


def main(
    workloads: Annotated[
        str, typer.Option(help="Which, with commas; W6 makes 1,000,000 messages first.")
    ] = "W1,W2,W3,W4,W5,W6",
    only: Annotated[str, typer.Option(help="Which servers, with commas; Colloquy is always there.")] = ",".join(PEERS),
    rounds: Annotated[int, typer.Option(min=1)] = 7,
    seconds: Annotated[int, typer.Option(help="Of each round.", min=1)] = 5,
    open_seconds: Annotated[float, typer.Option(help="Of the open loop; 0 leaves it out.")] = 60,
    requests: Annotated[int, typer.Option(help="Of the look at the memory; 0 leaves it out.")] = 200_000,
    add: Annotated[bool, typer.Option("--add", help="Beside what bench/results has of other workloads.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="W1 to W3 of Colloquy and rest, short; writes nothing.")
    ] = False,
) -> None:
    """Compare Colloquy with its peers; the report goes to bench/results."""
    if quick:
        workloads, only, rounds, seconds, open_seconds, requests = "W1,W2,W3", "rest", 3, 2, 0, 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds: no server stays behind
    names = ["colloquy", *(name for name in PEERS if name != "colloquy" and name in only.split(","))]
    try:
        bench = Bench(names, rounds, seconds, open_seconds, requests)
        bench.run(workloads.split(","))
        report.keep(bench.found, RESULTS, add=add) if not quick else print(report.markdown(bench.found))
    except (load.Wrong, answers.Different) as wrong:
        sys.exit(str(wrong))


class Bench:
    """One run: which servers, how often, how long; what is left out is 0."""

    def __init__(self, names: list[str], rounds: int, seconds: int, open_seconds: float, requests: int) -> None:
        self.names, self.rounds, self.seconds = names, rounds, seconds
        self.open_seconds, self.requests = open_seconds, requests
        self.found = report.Found({}, {}, None, None)
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise typer.BadParameter("The server needs a core of its own; this machine has one.")
        self.server_core, self.other_core = cores[:2]

    def run(self, workloads: list[str]) -> None:
        """Measures."""
        _need(self.names)
        usage.pin_me(self.other_core)
        PLACE.mkdir(exist_ok=True)
        with embedded_postgres(PLACE) as server:
            self.postgres = int((PLACE.resolve() / "data/postmaster.pid").read_text().split()[0])
            usage.pin(self.postgres, self.other_core)
            try:
                if ordinary := [name for name in workloads if name in ORDINARY]:
                    self._ordinary(asyncio.run(data.fresh(server, data.USUAL)), ordinary)
                if "W6" in workloads:
                    self._deep(asyncio.run(data.fresh(server, data.LONG)))
            finally:
                asyncio.run(data.drop(server))
        self.found.facts |= {workload: self._facts() for workload in self.found.rounds}

    def _ordinary(self, url: str, workloads: list[str]) -> None:
        sessions = asyncio.run(data.sessions_of(url))
        with ExitStack() as stack:
            up = [
                stack.enter_context(servers.running(PEERS[name], url, self.server_core, PLACE)) for name in self.names
            ]
            for workload in sorted(workloads, key=lambda name: (name == "W3", name)):  # what writes comes last
                able = [server for server in up if workload in server.peer.workloads]
                answers.compare(able, workload, sessions)
                files = {server.name: load.written(server.peer, workload, sessions, PLACE) for server in able}
                self.found.rounds[workload] = self._measured(workload, able, files)
                if workload == "W1":
                    self._alone(up[0], files["colloquy"])

    def _alone(self, server: Running, requests: Path) -> None:
        """What is asked of Colloquy only."""
        if self.open_seconds:
            self.found.opened = openloop.open_loop(server, requests, OPEN_RATE, self.open_seconds)
        if self.requests:
            self.found.memory = memory(server, requests, self.requests, self.postgres)

    def _deep(self, url: str) -> None:
        """Page 1 and page 10,000 of the one long session, in alternating rounds as if they were two servers."""
        [(owner, session)] = asyncio.run(data.sessions_of(url))
        with servers.running(PEERS["colloquy"], url, self.server_core, PLACE) as server:
            files = {}
            for page, after in (("page 1", None), ("page 10,000", LAST_PAGE_AFTER)):
                asked = PEERS["colloquy"].ask("W6", owner, {"id": f"ses_{session}", "after": after})
                files[page] = PLACE / f"W6-{page.replace(' ', '-')}.requests"
                files[page].write_text(f"{load.token(owner)}\t{json.dumps(asked)}\n")
            pages = self._alternating("W6", {page: (server, file) for page, file in files.items()})
        self.found.rounds |= {f"W6 {page}": {"colloquy": rounds} for page, rounds in pages.items()}

    def _measured(self, workload: str, able: list[Running], files: dict[str, Path]) -> dict[str, list[load.Round]]:
        return self._alternating(workload, {server.name: (server, files[server.name]) for server in able})

    def _alternating(self, workload: str, loads: dict[str, tuple[Running, Path]]) -> dict[str, list[load.Round]]:
        """Every load in every round, each round beginning with another one; a round to warm up comes first."""
        names = list(loads)
        found: dict[str, list[load.Round]] = {name: [] for name in names}
        for number in range(-1, self.rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                one = load.round_of(*loads[name], self.seconds, self.postgres)
                if number >= 0:
                    found[name].append(one)
                shown = f"{one.cpu:7.3f} + {one.pg:.3f} ms {one.rate:6.0f} req/s"
                print(f"{workload} round {number + 1} of {self.rounds}: {name:12} {shown}", flush=True)
        return found

    def _facts(self) -> str:
        """When and how a workload was measured."""
        commit = _git("describe", "--always") + ("-dirty" if _git("diff", "HEAD", "--", ":!bench/results") else "")
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        return f"{now}, {self.rounds} rounds of {self.seconds} s, commit {commit}, load average {report.load_average()}"


def _git(*asked: str) -> str:
    told = subprocess.run(["git", *asked], cwd=servers.ROOT, capture_output=True, text=True, check=False)
    return told.stdout.strip()


def _need(names: list[str]) -> None:
    """Says what is missing before anything is started."""
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
