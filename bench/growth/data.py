"""Data sets of three sizes, each ten times as large as the one before, in databases that are made once and kept."""

import asyncio
import hashlib
from pathlib import Path

import asyncpg

from app.db.operations import migrate, readiness
from harness import generated_data
from harness.generated_data import Owners
from harness.postgres import at, connected

SCALES = {"small": 1, "mid": 10, "big": 100}


def owners(scale: int) -> list[Owners]:
    """A crowd of others; a user who stays small; and one owner each who is large in another way."""
    return [
        Owners("crowd", 100 * scale, messages=20, focus=20),
        Owners("user", messages=20, focus=20),
        Owners(
            "team",
            agents=100 * scale,
            sessions=100 * scale,
            messages=50,
            focus=50,
            audit_events=20_000 * scale,
            keys=10_000 * scale,
        ),
        Owners("long", messages=20, focus=10_000 * scale, items=20, all_unread=True),
        Owners("hidden", focus=50, tombstones=1_000 * scale, erased=1_000 * scale, archived=1_000 * scale),
        Owners("streams", sessions=100 * scale, messages=2, focus=2, items=1, all_streaming=True),
    ]


async def database(server: str, size: str) -> str:
    """The URL of the database of this size on `server`. It takes seconds or minutes the first time."""
    sources = (
        str(readiness.expected_revision()),
        Path(__file__).read_text(),
        Path(generated_data.__file__).read_text(),
    )
    name = f"growth_{size}_{hashlib.sha256(''.join(sources).encode()).hexdigest()[:12]}"
    async with connected(server) as connection:
        if not await connection.fetchval("select true from pg_database where datname = $1", name):
            await _make(connection, server, size, name)
    async with connected(at(server, name)) as connection:
        await connection.execute("vacuum (analyze)")  # of what an earlier run rolled back
    return at(server, name)


async def _make(connection: asyncpg.Connection, server: str, size: str, name: str) -> None:
    making = f"growth_{size}_new"  # a database is whole, or it has another name
    for (outdated,) in await connection.fetch(
        "select datname from pg_database where starts_with(datname, $1)", making[:-3]
    ):
        await connection.execute(f"drop database {outdated} with (force)")
    await connection.execute(f"create database {making}")
    await asyncio.to_thread(migrate.upgrade, at(server, making))
    async with connected(at(server, making)) as new:
        await generated_data.fill(new, owners(SCALES[size]), triggers=False)
    await connection.execute(f"alter database {making} rename to {name}")
