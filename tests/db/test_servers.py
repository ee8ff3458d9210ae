"""Several servers of one database: which one a connection leads to, and when it is left."""

import asyncio
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from app.db import session
from app.db.access.servers import Servers
from app.errors import Unavailable
from harness.outage import Outage
from harness.postgres import with_hosts
from tests.db.notes import ANN
from tests.support.databases import open_database

WRITABLE = "&target_session_attrs=read-write"
ABSENT = {"session_id": "00000000-0000-0000-0000-000000000000"}


@asynccontextmanager
async def silent_host(directory):
    """The directory of a socket that accepts connections and answers nothing, as a host that stands still."""
    connections = []

    async def keep(_reader, writer):
        connections.append(asyncio.current_task())
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        writer.close()

    server = await asyncio.start_unix_server(keep, directory / ".s.PGSQL.5432")
    try:
        yield str(directory)
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections)


async def test_the_next_host_is_tried_when_one_is_away_or_stands_still(own_database, tmp_path):
    async with silent_host(tmp_path) as silent:
        servers = Servers(with_hosts(own_database, "/nowhere", silent, None))
        began = asyncio.get_running_loop().time()
        first = await servers.connect(timeout=60)
        await first.close()
        between = asyncio.get_running_loop().time()
        again = await servers.connect(timeout=60)
        await again.close()
        # The host that answered is tried first: the limit of two seconds passes once.
        assert asyncio.get_running_loop().time() - between < between - began
    with pytest.raises(FileNotFoundError):
        await Servers(with_hosts(own_database, "/nowhere", "/nowhere/else")).connect(timeout=60)


async def test_a_mistake_is_reported_rather_than_a_host_that_is_away(own_database):
    url = with_hosts(own_database, None, "/nowhere").replace("/colloquy_", "/missing_")
    db = open_database(url)
    with pytest.raises(Unavailable) as unavailable:
        await db.fetch(ANN, session.ONE, **ABSENT)
    assert "does not exist" in repr(unavailable.value.__cause__)
    await db.close()


async def test_without_a_server_that_accepts_writes_that_is_the_reason(database_server, own_database):
    db = open_database(with_hosts(own_database, None, "/nowhere"))
    async with Outage(database_server, own_database).read_only():
        with pytest.raises(Unavailable, match="accepts no writes"):
            await db.fetch(ANN, session.ONE, **ABSENT)
    assert await db.fetch(ANN, session.ONE, **ABSENT) == []
    await db.close()


@pytest.mark.parametrize(("target", "left"), [("", False), (WRITABLE, True)])
async def test_a_connection_for_writes_leaves_a_server_that_becomes_read_only(own_database, target, left):
    db = open_database(f"{with_hosts(own_database, None)}{target}", pool_size=1)
    connection = await db.pool.acquire()
    await connection.driver.execute("set default_transaction_read_only = on")
    db.pool.release(connection)
    assert connection.driver.is_closed() is left
    assert await db.fetch(ANN, session.ONE, **ABSENT) == []
    await db.close()


async def test_no_connection_to_a_server_that_became_read_only_is_used_again(own_database):
    db = open_database(f"{with_hosts(own_database, None)}{WRITABLE}", pool_size=2)
    idle, failed = await db.pool.acquire(), await db.pool.acquire()
    db.pool.release(idle)
    with pytest.raises(Unavailable, match="accepts no writes"):
        db.pool.on_failure(failed, asyncpg.ReadOnlySQLTransactionError("read-only"))
    db.pool.release(failed)
    later = [await db.pool.acquire(), await db.pool.acquire()]
    assert idle.driver.is_closed()
    assert {idle.driver, failed.driver}.isdisjoint(connection.driver for connection in later)
    for connection in later:
        db.pool.release(connection)
    await db.close()
