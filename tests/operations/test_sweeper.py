"""The sweeper: what time has made stale goes, in small steps, and nothing else does."""

from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from app import sweeper
from app.db.access.database import Database
from app.db.operations import check
from app.db.operations.sweep import alone
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.streaming import cancels, ended, extends, finishes, reads, starts, writes
from tests.support.users import error

WEEK = sweeper.ages(settings_for("postgresql://nowhere/at-all"))
MONTH = WEEK._replace(kept=timedelta(days=30))


@asynccontextmanager
async def opened(url):
    db = Database(url, pool_size=3)
    try:
        yield db
    finally:
        await db.close()


@pytest.fixture
async def world(fresh_database):
    """A database of one's own: a server on it, a second door, and an administrator who turns the clock."""
    url = await fresh_database()
    admin = await asyncpg.connect(dsn(url))
    async with serving(settings_for(url)) as server, opened(url) as db:
        yield server.user("ann"), db, admin
    await admin.close()


async def test_an_idle_session_expires_and_a_message_wakes_it(world):
    ann, db, admin = world
    old, young = await ann.creates_session("Old"), await ann.creates_session("Young")
    cursor = (await ann.sees(old, "eventCursor"))["eventCursor"]
    await admin.execute("update sessions set last_activity_at = now() - interval '8 days' where title = 'Old'")
    assert (await sweeper.due(db, WEEK))["sessions expired"] == 1
    assert (await sweeper.sweep_once(db, WEEK))["sessions expired"] == 1
    assert (await ann.sees(old, "status"), await ann.sees(young, "status")) == (
        {"status": "EXPIRED"},
        {"status": "PENDING"},
    )
    assert [event["__typename"] for event in await ann.replays(old, cursor)] == ["SessionChanged", "CaughtUp"]
    assert await ann.appends(old, "awake") == {"sequence": 1, "text": "awake"}
    assert await ann.sees(old, "status") == {"status": "ACTIVE"}
    assert (await sweeper.sweep_once(db, WEEK))["sessions expired"] == 0


async def test_past_its_end_a_session_is_expired_for_good(world):
    ann, db, admin = world
    session = await ann.creates_session(expiresAt="2099-01-01T00:00:00Z")
    await admin.execute("update sessions set expires_at = now() - interval '1 second'")
    assert await ann.appends(session, "late") == error("ILLEGAL_TRANSITION", field="sessionId")
    await sweeper.sweep_once(db, WEEK)
    assert await ann.sees(session, "status") == {"status": "EXPIRED"}
    assert await ann.appends(session, "later") == error("ILLEGAL_TRANSITION", field="sessionId")


async def test_what_was_deleted_long_ago_is_erased_and_then_forgotten(world):
    ann, db, admin = world
    session = await ann.creates_session("Gone")
    await ann.appends(session, "words")
    await ann.does("deleteSession", id=session)
    assert (await sweeper.sweep_once(db, MONTH))["sessions erased"] == 0
    await admin.execute("update sessions set deleted_at = now() - interval '31 days'")
    assert (await sweeper.sweep_once(db, WEEK)).get("sessions erased") is None
    assert (await sweeper.sweep_once(db, MONTH))["sessions erased"] == 1
    assert await ann.sees(session, "id") is None
    assert await admin.fetchval("select count(*) from messages") == 0
    await admin.execute("update sessions set erased_at = now() - interval '31 days'")
    assert (await sweeper.sweep_once(db, MONTH))["tombstones of sessions removed"] == 1
    assert await admin.fetchval("select count(*) from sessions") == 0


async def test_purged_tombstones_move_the_horizon(world):
    ann, db, admin = world
    session = await ann.creates_session()
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    for text in ("one", "two", "three"):
        await ann.appends(session, text)
    page = await ann.sees(session, "messages { nodes { id } }")
    await ann.does("deleteMessage", id=page["messages"]["nodes"][1]["id"])
    await admin.execute("update messages set deleted_at = now() - interval '31 days' where deleted_at is not null")
    assert (await sweeper.sweep_once(db, MONTH))["sessions cleared of tombstones"] == 1
    reset, _caught_up = await ann.replays(session, cursor)
    assert (reset["__typename"], reset["reason"]) == ("StreamReset", "CURSOR_UNKNOWN")
    assert await ann.appends(session, "four") == {"sequence": 4, "text": "four"}
    assert [found async for _, found in check.broken(db) if found] == []


async def test_an_old_key_is_free_again(world):
    ann, db, admin = world
    create = "mutation { createSession(input: {}) { session { id } } }"
    first = await ann.responds(create, {"idempotency-key": "k"})
    await admin.execute("update idempotency_keys set created_at = now() - interval '2 days'")
    assert (await sweeper.sweep_once(db, WEEK))["idempotency keys removed"] == 1
    assert (await ann.responds(create, {"idempotency-key": "k"}))["data"] != first["data"]


async def test_a_stream_that_nobody_goes_on_with_has_failed(world):
    ann, db, admin = world
    session, other = await ann.creates_session(), await ann.creates_session()
    left, heard, beside = [await starts(ann, session), await starts(ann, session), await starts(ann, other)]
    for writing in (left, heard, beside):
        await writes(ann, writing, "partial ", "text")
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    await admin.execute("update streams set updated_at = now() - interval '301 seconds'")
    assert await extends(ann, heard, 12, "") is None
    assert (await sweeper.due(db, WEEK))["sessions with abandoned streams"] == 2
    assert (await sweeper.sweep_once(db, WEEK))["sessions with abandoned streams"] == 2
    assert await reads(ann, left) == await reads(ann, beside) == ("FAILED", "partial text")
    assert await reads(ann, heard) == ("STREAMING", "partial text")
    failed, still_written, _ = await ann.replays(session, cursor)
    assert (failed["message"]["id"], failed["message"]["text"]) == (left.message, "partial text")
    assert still_written["message"]["id"] == heard.message
    assert await extends(ann, left, 12, "x") == ended("FAILED")
    assert (await cancels(ann, left))["code"] == "ILLEGAL_TRANSITION"
    found = await ann.asks('{ searchMessages(query: "partial") { totalCount } }')
    assert found["searchMessages"]["totalCount"] == 2
    assert await finishes(ann, heard) == ("COMPLETE", "partial text")
    assert (await sweeper.sweep_once(db, WEEK))["sessions with abandoned streams"] == 0
    assert [found async for _, found in check.broken(db) if found] == []


async def test_the_end_of_an_abandoned_stream_wakes_its_readers(world):
    ann, db, admin = world
    session = await ann.creates_session()
    await writes(ann, await starts(ann, session), "partial")
    told = []
    db.on_commit = lambda owner, changes: told.append((owner, *changes))
    await admin.execute("update streams set updated_at = now() - interval '301 seconds'")
    await sweeper.sweep_once(db, WEEK)
    [(owner, move)] = told
    assert (owner, f"ses_{move.session_id}") == (ann.name, session)
    assert move.revision is not None


async def test_one_replica_sweeps_at_a_time(world):
    _, db, _ = world
    async with alone(db) as mine:
        assert mine
        assert await sweeper.sweep_once(db, WEEK) is None
    assert await sweeper.sweep_once(db, WEEK) is not None
