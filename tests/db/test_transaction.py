"""A transaction: its commit publishes changes, its rollback keeps and publishes nothing."""

from uuid import uuid4

import asyncpg
import pytest

from app.db.access import failures
from app.db.access.transaction import Change
from tests.db.notes import ADD, ANN, GET


async def test_a_commit_publishes_the_changes(db, committed):
    async with db.begin(ANN) as tx:
        await tx.one(ADD, id=str(uuid4()))
        tx.record_change("one", 7)
        tx.record_change("two", 1)
        assert committed == []
    assert committed == [("ann", [Change("one", 7), Change("two", 1)])]


async def write_and_fail(db, note):
    async with db.begin(ANN) as tx:
        await tx.one(ADD, id=note)
        tx.record_change(note, 1)
        raise LookupError


async def test_a_rollback_keeps_and_publishes_nothing(db, committed):
    note = str(uuid4())
    with pytest.raises(LookupError):
        await write_and_fail(db, note)
    assert await db.one(ANN, GET, id=note) is None
    assert committed == []


async def swallow_a_violation(db, note):
    async with db.begin(ANN) as tx:
        tx.record_change(note, 2)
        with pytest.raises(asyncpg.UniqueViolationError) as caught:
            await tx.one(ADD, id=note)
        assert failures.violates(caught.value, "notes_pk")


async def test_an_error_that_is_caught_inside_a_transaction_prevents_the_commit(db, committed):
    note = str(uuid4())
    await db.one(ANN, ADD, id=note)
    with pytest.raises(RuntimeError, match="nothing of it was committed"):
        await swallow_a_violation(db, note)
    assert committed == []
    assert (await db.one(ANN, GET, id=note)).revision == 1
