"""The pool: connections are shared in order, bounded in number and waiting time, and never left broken."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import literal, select

from app.errors import Unavailable
from tests.db.notes import ADD, ANN, BUMP, ERASE, GET
from tests.support.databases import open_database


async def bump_in_a_transaction(db, note):
    async with db.begin(ANN) as tx:
        await tx.one(BUMP, id=note)


async def test_cancelled_statements_leave_an_intact_pool(db, outside, locked):
    note = str(uuid4())
    await db.one(ANN, ADD, id=note)
    for _ in range(3):
        async with locked():
            tasks = [asyncio.create_task(bump_in_a_transaction(db, note))]
            tasks += [asyncio.create_task(db.one(ANN, BUMP, id=note)) for _ in range(6)]
            await outside.until_waiting(3)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(result) for result in results} == {asyncio.CancelledError}
    rows = await asyncio.gather(*(db.one(ANN, GET, id=note) for _ in range(9)))
    assert {row.revision for row in rows} == {1}
    assert await outside.connections() <= 3


async def one_through_sqlalchemy(db):
    async with db.pool.connection() as connection:
        return await connection.scalar(select(literal(1)))


async def test_connections_of_sqlalchemy_share_the_limit_with_idle_ones(db, outside):
    note = str(uuid4())
    await db.one(ANN, ADD, id=note)
    await asyncio.gather(*(db.one(ANN, GET, id=note) for _ in range(9)))
    for _ in range(4):
        assert await one_through_sqlalchemy(db) == 1
    assert (db.pool.busy, await outside.connections() <= 3) == (0, True)


async def test_connections_of_sqlalchemy_are_replaced_after_a_restart_of_the_server(db, outside):
    note = str(uuid4())
    await db.one(ANN, ADD, id=note)
    await asyncio.gather(*(db.one(ANN, GET, id=note) for _ in range(9)))
    assert await one_through_sqlalchemy(db) == 1
    await outside.break_connections()
    for _ in range(4):
        assert await one_through_sqlalchemy(db) == 1
    assert (db.pool.busy, await outside.connections() <= 3) == (0, True)


async def test_a_wait_for_a_connection_times_out(own_database, outside):
    db = open_database(own_database, pool_size=1, acquire_timeout=0.05)
    async with db.begin(ANN) as tx:
        with pytest.raises(Unavailable, match="connections are busy"):
            await db.one(ANN, GET, id=str(uuid4()))
        await tx.fetch(ERASE)
    assert await db.one(ANN, GET, id=str(uuid4())) is None
    await db.close()


async def test_a_task_that_is_cancelled_when_it_gets_a_connection_passes_it_on(own_database, outside):
    db = open_database(own_database, pool_size=1)
    for cancelled in range(3):
        async with db.begin(ANN):
            tasks = [asyncio.create_task(db.one(ANN, ADD, id=str(uuid4()))) for _ in range(3)]
            await asyncio.sleep(0)
            assert db.pool.waiting == 3
        tasks[cancelled].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        kinds = [type(result) for result in results]
        assert kinds.pop(cancelled) is asyncio.CancelledError
        assert not any(issubclass(kind, BaseException) for kind in kinds)
        assert (db.pool.waiting, db.pool.busy) == (0, 0)
    await db.close()


async def test_connections_are_acquired_in_the_order_of_the_requests(own_database, outside):
    db = open_database(own_database, pool_size=1)
    order = []

    async def add(number):
        await db.one(ANN, ADD, id=str(uuid4()))
        order.append(number)

    async with db.begin(ANN):
        tasks = [asyncio.create_task(add(number)) for number in range(20)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == list(range(20))
    await db.close()
