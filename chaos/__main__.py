"""Runs the experiments and writes what they counted to docs/chaos.md."""

import asyncio
import signal
import sys
import time
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer

from chaos import report
from chaos.counts import Counts
from chaos.experiments import EXPERIMENTS, Experiment
from chaos.run import run
from harness.postgres import NewDatabase, PostgresServer, databases, directory, own_server

PAGE = Path(__file__).parents[1] / "docs/chaos.md"


def main(
    seed: Annotated[int, typer.Option(help="Of every random choice; by default a new one.")] = -1,
    only: Annotated[str, typer.Option(help="Experiments whose names contain this.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A few faults of each; writes nothing.")] = False,
) -> None:
    """Break servers, databases and connections, ten times each, and count what was lost."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that every started process is stopped
    seed = seed if seed >= 0 else SystemRandom().randrange(1_000_000)
    chosen = [experiment for experiment in EXPERIMENTS if only in experiment.name]
    print(f"Seed {seed}: {len(chosen)} experiments", flush=True)
    began = time.monotonic()
    with own_server() as busy, own_server() as waiting, directory() as path:
        found = asyncio.run(_all(chosen, seed, (busy, waiting), path, quick))
    text = report.page(found, seed, time.monotonic() - began)
    print(text)
    if not quick and not only:
        PAGE.write_text(text)
    sys.exit(0 if all(counts.good for _, counts in found) else 1)


async def _all(
    chosen: list[Experiment], seed: int, servers: tuple[PostgresServer, PostgresServer], directory: Path, quick: bool
) -> list[tuple[Experiment, Counts]]:
    """One after the other; those that mostly wait run beside the others, on a PostgreSQL of their own."""
    found: dict[Experiment, Counts] = {}

    async def lane(postgres: PostgresServer, database: NewDatabase, waits: bool) -> None:
        for experiment in (one for one in chosen if one.waits == waits):
            began = time.monotonic()
            found[experiment] = await run(experiment, seed, postgres, database, directory, quick)
            print(report.line(experiment, found[experiment], time.monotonic() - began), flush=True)

    busy, waiting = servers
    async with databases(busy.url) as one, databases(waiting.url) as other, asyncio.TaskGroup() as lanes:
        lanes.create_task(lane(busy, one, waits=False))
        lanes.create_task(lane(waiting, other, waits=True))
    return [(experiment, found[experiment]) for experiment in chosen]


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(main)
    cli()
