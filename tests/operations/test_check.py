"""The check finds what is broken, and nothing else."""

import asyncpg
import pytest

from app.db.access.database import Database
from app.db.operations import check
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.streaming import starts, writes


@pytest.fixture
async def url(fresh_database):
    return await fresh_database()


@pytest.fixture
async def db(url):
    db = Database(url, pool_size=1)
    yield db
    await db.close()


async def broken(db):
    return {rule for rule, found in [pair async for pair in check.broken(db)] if found}


@pytest.mark.parametrize(
    ("harm", "rules"),
    [
        ("update tasks set revision = 99", {"no number is above the session's head"}),
        ("update approvals set revision = 99", {"no number is above the session's head"}),
        ("update tasks set revision = 1", {"no two things share a number"}),
        ("update sessions set erased_at = now()", {"nothing lies in a session that is not there"}),
    ],
)
async def test_numbers_of_tasks_and_approvals_are_checked(url, db, harm, rules):
    async with serving(settings_for(url)) as running:
        ann = running.user("ann")
        session = await ann.creates_session("Plan")
        task = (await ann.does("createTask", "task { id }", type="review", sessionId=session))["task"]["id"]
        await ann.does("createTask", type="on its own")
        await ann.does("requestApproval", taskId=task)
    assert await broken(db) == set()
    connection = await asyncpg.connect(dsn(url))
    await connection.execute(f"{harm}{' where session_id is not null' if 'sessions' not in harm else ''}")
    await connection.close()
    assert await broken(db) == rules


ALONE = "a stream is there while its message is STREAMING"
LENGTH = "a stream is as long as its chunks"
ORDER = "the chunks of a stream follow one another"


@pytest.mark.parametrize(
    ("harm", "rules"),
    [
        ("delete from streams", {ALONE, ORDER}),
        ("update messages set status = 'COMPLETE'", {ALONE}),
        ("update streams set length = 7", {LENGTH}),
        ("update message_chunks set text = 'four' where \"offset\" = 0", {LENGTH, ORDER}),
        ('update message_chunks set "offset" = 9 where "offset" = 3', {ORDER}),
        ('delete from message_chunks where "offset" = 0', {LENGTH, ORDER}),
    ],
)
async def test_streams_are_checked(url, db, harm, rules):
    async with serving(settings_for(url)) as running:
        ann = running.user("ann")
        session = await ann.creates_session()
        await starts(ann, session)
        await writes(ann, await starts(ann, session), "one", "two")
    assert await broken(db) == set()
    connection = await asyncpg.connect(dsn(url))
    await connection.execute(harm)
    await connection.close()
    assert await broken(db) == rules
