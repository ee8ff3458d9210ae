"""viewerEvents while transactions end in another order than they began: no change is missed."""

import asyncio
import random

import asyncpg

from app.auth import Viewer
from app.live.tuning import LiveTuning
from app.live.viewer_reader import ViewerReader
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.live.test_session_events import kinds
from tests.live.test_viewer_events import subjects
from tests.support.databases import open_database
from tests.support.servers import serving

RENAME = "update sessions set title = $2, head = head + 1, revision = head + 1 where owner_id = $3 and id = $1::uuid"


async def follow(user, start, seen, *, cut):
    """Keeps the newest title of each session in `seen`; with `cut`, a random generator, reconnects now and then."""
    cursor = start
    while True:
        async with user.watches(cursor, follow=cut is None) as stream:
            async for event in stream:
                cursor = event["cursor"]
                if event["__typename"] == "SessionChanged":
                    seen[event["session"]["id"]] = event["session"]["title"]
                if cut is not None and cut.random() < 0.05:
                    break


async def test_a_late_commit_reaches_live_and_resumed_subscribers(user, database_url):
    async with serving(settings_for(database_url), LiveTuning(poll_seconds=2)) as server:
        ann, bob = (server.user(user(name).name) for name in ("ann", "bob"))
        await commit_out_of_order(ann, database_url)
        assert kinds(await bob.catches_up(await bob.now())) == ["CaughtUp"]


async def commit_out_of_order(ann, database_url):
    dice = random.Random(20261121)
    sessions = [await ann.creates_session("0") for _ in range(24)]
    start = await ann.now()

    async def write(mine):
        connection = await asyncpg.connect(dsn(database_url))
        for n in range(1, 7):
            async with connection.transaction():
                for session in mine:  # the first gets a transaction id, the last commits long after
                    await connection.execute(RENAME, session.removeprefix("ses_"), f"{n}", ann.name)
                    await asyncio.sleep(dice.random() * 0.03)
        await connection.close()
        # Servers send wake-ups for their own writes; this connection is not a server's, so a write follows on one.
        await ann.does("createTask", type="done")

    live, resumed, polled = {}, {}, {}
    tails = [
        asyncio.create_task(follow(ann, start, live, cut=None)),
        asyncio.create_task(follow(ann, start, resumed, cut=random.Random(7))),
        asyncio.create_task(follow(ann, start, polled, cut=random.Random(8))),
    ]
    await asyncio.gather(*(write(sessions[first : first + 3]) for first in range(0, 24, 3)))
    expected = dict.fromkeys(sessions, "6")
    try:
        async with asyncio.timeout(60):
            while not (live == resumed == polled == expected):
                assert not any(tail.done() for tail in tails)
                await asyncio.sleep(0.05)
    finally:
        for tail in tails:
            tail.cancel()
        await asyncio.gather(*tails, return_exceptions=True)


async def test_a_long_transaction_is_read_after_its_commit_and_hides_no_other(ann, database_url):
    slow, quick = await ann.creates_session("0"), await ann.creates_session("0")
    start = await ann.quiet_cursor()
    connection = await asyncpg.connect(dsn(database_url))
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(RENAME, slow.removeprefix("ses_"), "late", ann.name)
        await ann.does("updateSession", id=quick, title="early")
        first = await ann.catches_up(start)
        assert subjects(first[:-1]) == [("SessionChanged", quick)]  # the slow one is not committed yet
        between = first[-1]["cursor"]
        await transaction.commit()
    finally:
        await connection.close()
    later = await ann.catches_up(between)
    assert ("SessionChanged", slow) in subjects(later)


async def test_a_pass_of_several_batches_may_join_only_passes_that_ended_before_it_began(ann, database_url):
    """A change between its batches may be among the rows that it has passed already."""
    start = await ann.now()
    for _ in range(101):
        await ann.does("createTask", type="done")
    db = open_database(database_url)
    reader = ViewerReader(db, Viewer(ann.name, frozenset(), (), 0.0), None, LiveTuning().batch_size)
    position = (await reader.start(start)).position
    first = await reader.read(position)
    assert first.more
    newest = (await reader.start(None)).position
    other = await reader.read(newest)
    second = await reader.read(first.position)
    assert not second.more
    assert not second.position.can_join(other.position)
    next_pass = await reader.read(second.position)
    assert next_pass.position.can_join(other.position)
    await db.close()
