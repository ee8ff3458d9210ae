"""Statements run for a viewer, and the reaction to lost connections, on a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from app.db.access import failures
from app.db.access.transaction import Change
from app.errors import BadInput, Unavailable
from tests.db.notes import ADD, ALL_OWNERS, ANN, BOB, BUMP, ERASE, GET, MANY, PUT, Note


async def test_values_are_returned_as_they_were_stored(db):
    note, at = str(uuid4()), datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    document = '{"b": 1, "a":"\\u0000\\ud800", "b": 1e400}'
    put = await db.one(ANN, PUT, id=note, text="hello", document=document, at=at)
    assert (put.id, put.text, put.document, put.revision, put.at) == (note, "hello", document, 1, at)
    assert type(put) is Note
    assert [row.id for row in await db.fetch(ANN, MANY, ids=[note, str(uuid4())])] == [note]


async def test_a_viewer_reaches_no_row_of_another_owner(db):
    note = str(uuid4())
    await db.one(ANN, ADD, id=note)
    await db.one(BOB, ADD, id=str(uuid4()))
    assert await db.one(BOB, GET, id=note) is None
    assert await db.one(BOB, BUMP, id=note) is None
    assert len(await db.fetch(BOB, ERASE)) == 1
    assert (await db.one(ANN, GET, id=note)).revision == 1


async def test_a_query_across_owners_reads_all_owners(db):
    await db.one(BOB, ADD, id=str(uuid4()))
    await db.one(ANN, ADD, id=str(uuid4()))
    assert [tuple(row) for row in await db.fetch_across(ALL_OWNERS)] == [("ann", 1), ("bob", 1)]


@pytest.mark.parametrize("text", ["nul \0", "half \ud800"])
async def test_a_text_that_postgresql_cannot_store_is_bad_input(db, text):
    with pytest.raises(BadInput, match="cannot be stored"):
        await db.one(ANN, PUT, id=str(uuid4()), text=text, document=None, at=None)


async def test_a_single_statement_write_publishes_its_change(db, committed):
    db.record_change(BOB, "three", 2)
    db.record_text_growth(BOB, "three")
    assert committed == [("bob", [Change("three", 2)]), ("bob", [Change("three", None)])]


async def test_a_killed_backend_is_replaced(db, outside):
    note = str(uuid4())
    await db.one(ANN, ADD, id=note)
    for _ in range(5):
        await asyncio.gather(*(db.one(ANN, GET, id=note) for _ in range(6)))
        await outside.break_connections()
        rows = await asyncio.gather(*(db.one(ANN, GET, id=note) for _ in range(6)))
        assert {row.id for row in rows} == {note}
    assert await outside.connections() == 3


async def test_a_read_whose_connection_is_lost_runs_once_more(db, outside, locked):
    note = str(uuid4())
    await db.one(ANN, ADD, id=note)
    async with locked():
        reading = asyncio.create_task(db.one(ANN, GET, id=note))
        await outside.until_waiting(1)
        await outside.break_connections()
        await outside.until_waiting(1)
    assert (await reading).id == note


async def test_a_write_whose_connection_is_lost_does_not_run_again(db, outside, locked):
    note = str(uuid4())
    await db.one(ANN, ADD, id=note)
    async with locked():
        writing = asyncio.create_task(db.one(ANN, BUMP, id=note))
        await outside.until_waiting(1)
        await outside.break_connections()
        with pytest.raises(Unavailable, match="try again") as lost:
            await writing
    assert failures.connection_lost(lost.value.__cause__)
    assert lost.value.__cause__.__notes__ == ["in the statement test_note.bump"]
    assert (await db.one(ANN, GET, id=note)).revision == 1


async def test_waits_are_bounded_by_the_server(db):
    async with db._transaction(db._begin) as driver:
        row = await driver.fetchrow(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),"
            " current_setting('idle_in_transaction_session_timeout'), current_setting('timezone')"
        )
    assert tuple(row) == ("5s", "45s", "30s", "UTC")


async def test_writers_of_a_session_queue_in_their_order(db):
    order = []

    async def write(viewer, number):
        async with db.session_queue(viewer, "session"):
            order.append(number)
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(*(write(ANN, number) for number in range(5)))
    assert order == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    async with db.session_queue(ANN, "session"):
        await write(BOB, 5)
    assert not db._session_queues
