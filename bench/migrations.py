"""How long clients wait for the migrations of a big database: `python -m bench.migrations [SESSIONS [MESSAGES]]`.

Fills an embedded PostgreSQL with SESSIONS × MESSAGES and migrates it while clients append, edit and read. Prints the
seconds of each migration, the longest wait of a client, and what failed.
"""

import asyncio
import sys
import time

import asyncpg

from app.db.operations import migrate
from harness import postgres
from harness.machine import machine
from harness.migration_clients import Clients, clients, fill

CLIENTS = 4
BEFORE_SECONDS = 10
WAYS = (("0003", "0004"), ("0004", "0005"), ("0005", "head"))


async def measure(url: str, sessions: int, messages: int) -> None:
    """Prints a line for each part of the way from revision 0003 to the newest."""
    await asyncio.to_thread(migrate.upgrade, url, WAYS[0][0])
    connection = await asyncpg.connect(postgres.dsn(url))
    await fill(connection, sessions, messages)
    size = await connection.fetchval("select pg_size_pretty(pg_total_relation_size('messages'))")
    print(f"{sessions * messages:,} messages, {size}; {CLIENTS} clients; {machine()}", flush=True)
    async with clients(url, CLIENTS) as undisturbed:
        await asyncio.sleep(BEFORE_SECONDS)
    show("no migration", BEFORE_SECONDS, undisturbed)
    for start, end in WAYS:
        begin = time.perf_counter()
        async with clients(url, CLIENTS) as beside:
            await asyncio.to_thread(migrate.upgrade, url, end, report=print)
            seconds = time.perf_counter() - begin
        show(f"{start} to {end}", seconds, beside)
    await connection.close()


def show(what: str, seconds: float, found: Clients) -> None:
    """Prints what the clients did during one part."""
    longest = f"{found.longest_seconds * 1000:.0f} ms"
    print(f"{what:14} {seconds:6.1f} s; {found.done:,} operations, the longest {longest}, {len(found.failures)} failed")
    print(*(f"  {failure}" for failure in found.failures[:3]), sep="\n", end="", flush=True)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    with postgres.own_server() as server:
        asyncio.run(measure(server.url, *(given or [4_000]), *([] if given[1:] else [500])))
