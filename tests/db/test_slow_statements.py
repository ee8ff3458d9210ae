"""Slow statements are logged and counted by name, in single statements and in transactions; fast ones are not."""

import asyncio
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from tests.db.notes import ADD, ALL_OWNERS, ANN, BUMP, GET
from tests.support.databases import open_database


@pytest.fixture
async def db(own_database, outside):
    database = open_database(own_database, pool_size=3, slow_statement=0.05)
    yield database
    await database.close()


async def test_a_slow_statement_is_logged_and_counted_by_its_name(db, outside, locked):
    note = str(uuid4())
    await db.one(ANN, ADD, id=note)
    await db.one(ANN, GET, id=note)

    async def bump():
        async with db.begin(ANN) as tx:
            await tx.one(BUMP, id=note)

    with capture_logs() as logs:
        async with locked():
            tasks = [asyncio.create_task(work) for work in (bump(), db.one(ANN, GET, id=note))]
            tasks.append(asyncio.create_task(db.fetch_across(ALL_OWNERS)))
            await outside.until_waiting(3)
            await asyncio.sleep(0.1)
        await asyncio.gather(*tasks)
    assert db.slow.counts == {"test_note.bump": 1, "test_note.get": 1, "test_note.all_owners": 1}
    [entry] = [entry for entry in logs if entry["statement"] == "test_note.bump"]
    assert (entry["event"], entry["log_level"]) == ("statement.slow", "warning")
    assert entry["sentence"] == "Increments the revision of a note."
    assert entry["seconds"] >= 0.1
    assert note not in str(logs)


async def test_a_cancelled_statement_was_slow_too(db, outside, locked):
    async with locked():
        task = asyncio.create_task(db.one(ANN, GET, id=str(uuid4())))
        await outside.until_waiting(1)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
    assert db.slow.counts == {"test_note.get": 1}
