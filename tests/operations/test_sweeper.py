"""The sweeper expires, erases and removes what is due, and nothing else."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from app import sweeper
from app.db.operations import check
from app.db.operations.sweep import exclusive
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.support.databases import open_database
from tests.support.servers import serving
from tests.support.streaming import cancels, ended, extends, extends_parts, finishes, reads, starts, writes
from tests.support.users import error

WEEK = sweeper.retention(settings_for("postgresql://nowhere/at-all"))
SILENCE = "update streams set updated_at = now() - interval '301 seconds', active_at = now() - interval '301 seconds'"
MONTH = WEEK._replace(deleted=timedelta(days=30))


@asynccontextmanager
async def opened(url, **options):
    db = open_database(url, pool_size=3, **options)
    try:
        yield db
    finally:
        await db.close()


@pytest.fixture
async def swept_url(fresh_database):
    return await fresh_database()


@pytest.fixture
async def swept(swept_url):
    """A database of its own: a user of a server on it, the sweeper's database, and a connection that changes times."""
    url = swept_url
    admin = await asyncpg.connect(dsn(url))
    async with serving(settings_for(url)) as server, opened(url) as db:
        yield server.user("ann"), db, admin
    await admin.close()


async def test_an_idle_session_expires_and_a_message_reactivates_it(swept):
    ann, db, admin = swept
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


async def test_a_session_past_expires_at_is_expired_permanently(swept):
    ann, db, admin = swept
    session = await ann.creates_session(expiresAt="2099-01-01T00:00:00Z")
    await admin.execute("update sessions set expires_at = now() - interval '1 second'")
    assert await ann.appends(session, "late") == error("ILLEGAL_TRANSITION", field="sessionId")
    await sweeper.sweep_once(db, WEEK)
    assert await ann.sees(session, "status") == {"status": "EXPIRED"}
    assert await ann.appends(session, "later") == error("ILLEGAL_TRANSITION", field="sessionId")


async def test_a_session_deleted_long_ago_is_erased_and_its_tombstone_removed_later(swept):
    ann, db, admin = swept
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


async def test_the_removal_of_tombstones_advances_the_horizon(swept):
    ann, db, admin = swept
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
    assert [found async for _, found in check.violations(db) if found] == []


async def test_an_old_idempotency_key_can_be_used_again(swept):
    ann, db, admin = swept
    create = "mutation { createSession(input: {}) { session { id } } }"
    first = await ann.responds(create, {"idempotency-key": "k"})
    await admin.execute("update idempotency_keys set created_at = now() - interval '2 days'")
    assert (await sweeper.sweep_once(db, WEEK))["idempotency keys removed"] == 1
    assert (await ann.responds(create, {"idempotency-key": "k"}))["data"] != first["data"]


async def test_an_expired_live_record_is_reported_and_its_tombstone_removed_later(swept):
    ann, db, admin = swept
    names = [{"namespace": [label], "key": "k"} for label in ("live", "other")]
    await ann.does("putRecords", records=[{**name, "value": 1, "ttlSeconds": 60} for name in names])
    start = await ann.quiet_cursor()
    await admin.execute("update records set expires_at = now() - interval '1 second' where path like 'other%'")
    await admin.execute("alter table records disable trigger user")  # time passes without a change
    await admin.execute("update records set expires_at = now() - interval '1 second'")
    await admin.execute("alter table records enable trigger user")
    assert [event["__typename"] for event in await ann.catches_up(start)] == ["CaughtUp"]
    published = []
    db.on_commit = lambda owner, changes: published.append((owner, *changes))
    assert (await sweeper.sweep_once(db, MONTH))["records removed"] == 2
    assert published == [("ann", ("", 0))]
    [changed, _] = await ann.catches_up(start)
    assert (changed["namespace"], changed["key"], changed["record"]) == (["live"], "k", None)
    assert len(await admin.fetch("select from records")) == 1
    again = await sweeper.sweep_once(db, WEEK)
    assert (again["records removed"], again["tombstones of records removed"]) == (0, 0)
    await admin.execute("update records set updated_at = now() - interval '31 days'")
    assert (await sweeper.due(db, WEEK))["records removed"] == 0
    assert (await sweeper.sweep_once(db, WEEK))["tombstones of records removed"] == 1
    assert not await admin.fetch("select from records")


async def test_a_streaming_message_with_a_silent_producer_fails(swept):
    ann, db, admin = swept
    session, other = await ann.creates_session(), await ann.creates_session()
    abandoned, extended, other_session = [
        await starts(ann, session),
        await starts(ann, session),
        await starts(ann, other),
    ]
    for writing in (abandoned, extended, other_session):
        await writes(ann, writing, "partial ", "text")
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    await admin.execute(SILENCE)
    assert await extends(ann, extended, 12, "") is None
    assert (await sweeper.due(db, WEEK))["sessions with abandoned streams"] == 2
    assert (await sweeper.sweep_once(db, WEEK))["sessions with abandoned streams"] == 2
    assert await reads(ann, abandoned) == await reads(ann, other_session) == ("FAILED", "partial text")
    assert await reads(ann, extended) == ("STREAMING", "partial text")
    failed, still_streaming, _ = await ann.replays(session, cursor)
    assert (failed["message"]["id"], failed["message"]["text"]) == (abandoned.message, "partial text")
    assert still_streaming["message"]["id"] == extended.message
    assert await extends(ann, abandoned, 12, "x") == ended("FAILED")
    assert (await cancels(ann, abandoned))["code"] == "ILLEGAL_TRANSITION"
    found = await ann.asks('{ searchMessages(query: "partial") { totalCount } }')
    assert found["searchMessages"]["totalCount"] == 2
    assert await admin.fetch("select from streams where active_at <= updated_at - interval '15 seconds'") == []
    await admin.execute("update streams set active_at = now() - interval '301 seconds'")
    assert (await sweeper.due(db, WEEK))["sessions with abandoned streams"] == 0
    assert await finishes(ann, extended) == ("COMPLETE", "partial text")
    assert (await sweeper.sweep_once(db, WEEK))["sessions with abandoned streams"] == 0
    assert [found async for _, found in check.violations(db) if found] == []


async def test_parts_of_a_silent_producer_stay_in_a_failed_message(swept):
    ann, db, admin = swept
    writing = await starts(ann, await ann.creates_session(), stream="PARTS", partsFormat="AI_SDK")
    parts = [{"type": "text-start", "id": "1"}, {"type": "text-delta", "id": "1", "delta": "partial "}]
    assert await extends_parts(ann, writing, 0, *parts) is None
    await admin.execute(SILENCE)
    assert (await sweeper.sweep_once(db, WEEK))["sessions with abandoned streams"] == 1
    assert await reads(ann, writing) == ("FAILED", "partial ")
    assert await extends_parts(ann, writing, 2, {}) == ended("FAILED")
    assert [found async for _, found in check.violations(db) if found] == []


async def test_the_end_of_an_abandoned_stream_is_published(swept):
    ann, db, admin = swept
    session = await ann.creates_session()
    await writes(ann, await starts(ann, session), "partial")
    published = []
    db.on_commit = lambda owner, changes: published.append((owner, *changes))
    await admin.execute(SILENCE)
    await sweeper.sweep_once(db, WEEK)
    [(owner, change)] = published
    assert (owner, f"ses_{change.session_id}") == (ann.name, session)
    assert change.revision is not None


async def test_one_replica_sweeps_at_a_time(swept):
    _, db, _ = swept
    async with exclusive(db) as locked:
        assert locked
        assert await sweeper.sweep_once(db, WEEK) is None
    assert await sweeper.sweep_once(db, WEEK) is not None


async def make_idle(admin, **days):
    """Sessions by title, each without activity for this number of days."""
    for title, age in days.items():
        await admin.execute(
            "update sessions set last_activity_at = now() - make_interval(days => $2) where title = $1", title, age
        )


class Report:
    """What `sweep_once` reports."""

    def __init__(self):
        self.batches = []

    def __call__(self, step, changed, failed):
        self.batches.append((step, changed, failed))

    def of(self, name):
        return [numbers for step, *numbers in self.batches if step == name]


async def test_a_backlog_is_worked_off_from_the_oldest_on_batch_by_batch(swept, monkeypatch):
    ann, db, admin = swept
    ages = {f"s{number}": 8 + number * 7 % 11 for number in range(7)}
    for title in ages:
        await ann.creates_session(title)
    await make_idle(admin, **ages)
    monkeypatch.setattr(sweeper, "BATCH_SIZE", 3)
    report = Report()
    assert (await sweeper.due(db, WEEK))["sessions expired"] == 7
    assert (await sweeper.sweep_once(db, WEEK, report))["sessions expired"] == 7
    assert report.of("sessions expired") == [[3, 0], [3, 0], [1, 0]]
    expired = await admin.fetch(
        "select s.title from audit_events a join sessions s on s.owner_id = a.owner_id and s.id = a.subject_id"
        " where a.event_type = 'session.expired' order by a.at, a.id"
    )
    assert [row["title"] for row in expired] == sorted(ages, key=ages.__getitem__, reverse=True)


async def test_a_session_that_is_idle_and_past_expires_at_is_due_once(swept):
    ann, db, admin = swept
    await ann.creates_session("both", expiresAt="2099-01-01T00:00:00Z")
    await admin.execute("update sessions set expires_at = now() - interval '1 second'")
    await make_idle(admin, both=8)
    assert (await sweeper.due(db, WEEK))["sessions expired"] == 1
    assert (await sweeper.sweep_once(db, WEEK))["sessions expired"] == 1


async def test_sessions_are_looked_at_again_once_the_oldest_of_them_can_be_due(swept):
    ann, db, admin = swept
    looks = sweeper.IdleLooks()
    for title in ("soon", "restored"):
        await ann.creates_session(title)
    await admin.execute(
        "update sessions set last_activity_at = now() - interval '7 days' + interval '2 seconds' where title = 'soon'"
    )
    assert (await sweeper.sweep_once(db, WEEK, looks=looks))["sessions expired"] == 0
    await make_idle(admin, restored=8)
    assert (await sweeper.sweep_once(db, WEEK, looks=looks))["sessions expired"] == 0  # nothing was looked at
    await asyncio.sleep(2)
    assert (await sweeper.sweep_once(db, WEEK, looks=looks))["sessions expired"] == 2
    assert (await sweeper.sweep_once(db, WEEK, looks=looks))["sessions expired"] == 0


def impatient(url):
    """The same database with a statement timeout of half a second."""
    return opened(url, statement_timeout=0.5)


async def test_a_session_that_stays_locked_delays_no_other(swept, swept_url, monkeypatch):
    ann, db, admin = swept
    for title in ("locked", "second", "third"):
        await ann.creates_session(title)
    await ann.responds("mutation { createSession(input: {}) { session { id } } }", {"idempotency-key": "k"})
    await make_idle(admin, locked=10, second=9, third=8)
    await admin.execute("update idempotency_keys set created_at = now() - interval '2 days'")
    monkeypatch.setattr(sweeper, "BATCH_SIZE", 1)
    report = Report()
    async with impatient(swept_url) as hurried:
        async with admin.transaction():
            await admin.execute("select 1 from sessions where owner_id = $1 and title = 'locked' for update", ann.name)
            counts = await sweeper.sweep_once(hurried, WEEK, report)
        assert (counts["sessions expired"], counts["idempotency keys removed"]) == (2, 1)
        assert report.of("sessions expired") == [[0, 1], [1, 0], [1, 0]]
        assert (await sweeper.sweep_once(db, WEEK))["sessions expired"] == 1


async def test_a_query_that_times_out_delays_no_other_step(swept, swept_url):
    ann, db, admin = swept
    await ann.creates_session("idle")
    await ann.responds("mutation { createSession(input: {}) { session { id } } }", {"idempotency-key": "k"})
    await make_idle(admin, idle=8)
    await admin.execute("update idempotency_keys set created_at = now() - interval '2 days'")
    report = Report()
    async with impatient(swept_url) as hurried:
        async with admin.transaction():
            await admin.execute("lock table sessions")
            counts = await sweeper.sweep_once(hurried, WEEK, report)
        assert (counts["sessions expired"], counts["idempotency keys removed"]) == (0, 1)
        assert report.of("sessions expired") == [[0, 1], [0, 1]]
        assert (await sweeper.sweep_once(db, WEEK))["sessions expired"] == 1
