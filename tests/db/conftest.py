"""A database of its own for the tests of `app/db/access`: they count and break its connections."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from harness.postgres import dsn
from tests.db import notes
from tests.support.databases import open_database

POOLED = "pg_stat_activity WHERE application_name = 'colloquy' AND datname = current_database()"


class Outside:
    """A plain connection beside the pool, which observes and breaks the pool's connections."""

    def __init__(self, connection):
        self.fetchval, self.execute = connection.fetchval, connection.execute

    async def break_connections(self):
        """Ends every connection of the pool from the server's side."""
        await self.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM {POOLED}")

    async def connections(self):
        """How many connections the pool has."""
        return await self.fetchval(f"SELECT count(*) FROM {POOLED}")

    async def until_waiting(self, count):
        """Returns when so many connections of the pool wait for a lock."""
        while await self.fetchval(f"SELECT count(*) FROM {POOLED} AND wait_event_type = 'Lock'") != count:
            await asyncio.sleep(0.005)


@pytest.fixture(scope="module")
async def own_database(fresh_database):
    return await fresh_database()


@pytest.fixture
async def outside(own_database):
    connection = await asyncpg.connect(dsn(own_database))
    await connection.execute(notes.CREATE_TABLE)
    yield Outside(connection)
    await connection.execute("DROP TABLE test_notes")
    await connection.close()


@pytest.fixture
def locked(own_database):
    """`async with locked():` blocks all statements on the table."""

    @asynccontextmanager
    async def lock():
        connection = await asyncpg.connect(dsn(own_database))
        await connection.execute("BEGIN; LOCK TABLE test_notes")
        yield
        await connection.close()

    return lock


@pytest.fixture
def committed():
    """The changes that were published, as (owner, changes)."""
    return []


@pytest.fixture(params=[512, 0], ids=["prepared", "for PgBouncer"])
async def db(request, own_database, outside, committed):
    database = open_database(
        own_database,
        pool_size=3,
        statement_cache=request.param,
        on_commit=lambda owner, changes: committed.append((owner, list(changes))),
    )
    yield database
    await database.close()
