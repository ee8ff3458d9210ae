"""The check finds the violated rules, and no others."""

import asyncpg
import pytest

from app.db import session_totals
from app.db.operations import check
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.races.test_session_totals import until_counted
from tests.support.databases import open_database
from tests.support.servers import serving
from tests.support.streaming import extends_parts, starts, writes


@pytest.fixture
async def url(fresh_database):
    return await fresh_database()


@pytest.fixture
async def db(url):
    db = open_database(url, pool_size=1)
    yield db
    await db.close()


async def violated(db):
    return {rule async for rule, found in check.violations(db) if found}


HEAD = "no change number is above the session's head"
UNIQUE = "every change number of a session belongs to one row"
EXISTING = "the session of every row exists and is not erased"


@pytest.mark.parametrize(
    ("damage", "rules"),
    [
        ("update tasks set revision = 99", {HEAD}),
        ("update approvals set revision = 99", {HEAD}),
        ("update tasks set revision = 1", {UNIQUE}),
        ("update sessions set erased_at = now()", {EXISTING}),
    ],
)
async def test_change_numbers_of_tasks_and_approvals_are_checked(url, db, damage, rules):
    async with serving(settings_for(url)) as running:
        ann = running.user("ann")
        session = await ann.creates_session("Plan")
        task = (await ann.does("createTask", "task { id }", type="review", sessionId=session))["task"]["id"]
        await ann.does("createTask", type="on its own")
        await ann.does("requestApproval", taskId=task)
    assert await violated(db) == set()
    connection = await asyncpg.connect(dsn(url))
    await connection.execute(f"{damage}{' where session_id is not null' if 'sessions' not in damage else ''}")
    await connection.close()
    assert await violated(db) == rules


STREAM = "a message has a stream exactly while it is STREAMING"
LENGTH = "the length of a stream is the length of its chunks"
OFFSETS = "every chunk of a stream begins where the previous one ends"


@pytest.mark.parametrize(
    ("damage", "rules"),
    [
        ("delete from streams", {STREAM, OFFSETS}),
        ("update messages set status = 'COMPLETE'", {STREAM}),
        ("update streams set length = 7", {LENGTH}),
        ("update message_chunks set text = 'four' where \"offset\" = 0", {LENGTH, OFFSETS}),
        ('update message_chunks set "offset" = 9 where "offset" = 3', {OFFSETS}),
        ('delete from message_chunks where "offset" = 0', {LENGTH, OFFSETS}),
        ("update message_chunks set parts = '1' where parts is not null", {LENGTH}),
    ],
)
async def test_streams_are_checked(url, db, damage, rules):
    async with serving(settings_for(url)) as running:
        ann = running.user("ann")
        session = await ann.creates_session()
        await starts(ann, session)
        await writes(ann, await starts(ann, session), "one", "two")
        assert await extends_parts(ann, await starts(ann, session, stream="PARTS"), 0, "four", 5) is None
    assert await violated(db) == set()
    connection = await asyncpg.connect(dsn(url))
    await connection.execute(damage)
    await connection.close()
    assert await violated(db) == rules


TOTALS = "the totals of an owner are the sums of the counted sessions"
COUNTED = "a session is counted as it is, unless it has changed since"
COUNTED_EXISTS = "every counted session exists"


@pytest.mark.parametrize(
    ("damage", "rules"),
    [
        ("update session_totals set messages = messages + 1", {TOTALS}),
        ("update session_totals set agent_type = 'other' where agent_type = 'helper'", {TOTALS}),
        ("update counted_sessions set messages = 7", {TOTALS, COUNTED}),
        ("delete from counted_sessions", {TOTALS, COUNTED}),
        ("delete from counted_sessions; delete from session_totals", {COUNTED}),
        ("update counted_sessions set session_id = '00000000-0000-0000-0000-000000000001'", {COUNTED, COUNTED_EXISTS}),
        ("delete from count_positions", set()),
    ],
)
async def test_totals_of_sessions_are_checked(url, db, monkeypatch, damage, rules):
    monkeypatch.setattr(session_totals, "MANY_CHANGED", 0)
    async with serving(settings_for(url)) as running:
        ann = running.user("ann")
        await ann.appends(await ann.creates_session(agentType="helper"), "hello")
        connection = await asyncpg.connect(dsn(url))
        await until_counted(ann, connection, 1)
        assert await violated(db) == set()
        await connection.execute(damage)
        assert await violated(db) == rules
        await connection.execute(
            "delete from count_positions; delete from session_totals; delete from counted_sessions"
        )
        await connection.close()
        assert (await ann.asks("{ sessions { totalCount } }"))["sessions"] == {"totalCount": 1}
