"""Makes the data sets, measures every operation on each, and writes docs/growth.md and docs/growth.png."""

import asyncio
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.db.operations.embedded import embedded_postgres
from bench.growth import data, report
from bench.growth.measure import Key, Measured, measure
from bench.growth.recording import Recorder
from harness.machine import load_average, machine
from harness.postgres import connected

ROOT = Path(__file__).parents[2]
WORK_DIRECTORY = ROOT / ".bench/growth"
REPORT = ROOT / "docs/growth.md"
MARK = "<!-- measured -->"
SPILLED = "select temp_bytes from pg_stat_database where datname = current_database()"


def main(
    sizes: Annotated[
        str, typer.Option(help=f"Of {', '.join(data.SCALES)}, with commas; the smallest first.")
    ] = "small,mid",
    rounds: Annotated[int, typer.Option(help="Of each operation, by the clock.", min=1)] = 5,
    only: Annotated[str, typer.Option(help="Operations with this in their names; writes nothing.")] = "",
) -> None:
    """Measure how the cost of each operation grows; the report goes to docs/growth.md."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds: no server stays behind
    WORK_DIRECTORY.mkdir(parents=True, exist_ok=True)
    names = sizes.split(",")
    with embedded_postgres(WORK_DIRECTORY, durable=False) as server:
        found, facts = asyncio.run(_measured(server, names, rounds, only))
    compared = report.comparisons(found)
    text = report.markdown(compared, names, facts)
    print(text)
    if not only:
        head = REPORT.read_text().partition(MARK)[0]
        REPORT.write_text(f"{head}{MARK}\n\n{text}")
        report.plot(compared, REPORT.with_suffix(".png"))


async def _measured(
    server: str, sizes: list[str], rounds: int, only: str
) -> tuple[dict[str, dict[Key, Measured]], dict[str, str]]:
    recorder, found, facts = Recorder(), {}, _facts()
    recorder.install()
    for size in sizes:
        url = await data.database(server, size)
        async with connected(url) as connection:
            rows = await connection.fetchval("select count(*) from messages")
            bytes_ = await connection.fetchval("select pg_size_pretty(pg_database_size(current_database()))")
            facts["PostgreSQL"] = await connection.fetchval("show server_version")
            before = await connection.fetchval(SPILLED)
        facts[size] = f"{rows:,} messages, {bytes_}"
        print(size, facts[size], flush=True)
        found[size] = await measure(url, recorder, rounds, only)
        async with connected(url) as connection:
            facts[size] += f"; {await connection.fetchval(SPILLED) - before:,} bytes of temporary files"
    return found, facts


def _facts() -> dict[str, str]:
    line = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "When": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit}",
        "Machine": f"{machine()}, load {load_average()}",
    }


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(main)
    cli()
