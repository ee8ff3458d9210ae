"""Transactions that end in another order than they began: whoever follows the owner misses none of them."""

import asyncio
import random

import asyncpg

from app.auth import Viewer
from app.db.access.database import Database
from app.live import hub
from app.live.viewer_reader import ViewerReader
from harness.postgres import dsn
from tests.live.test_session_events import kinds
from tests.live.test_viewer_events import subjects

RENAME = "update sessions set title = $2, head = head + 1, revision = head + 1 where id = $1::uuid"


async def follow(user, start, seen, *, cut):
    """Collects the newest title of each session, on sockets that last until `cut` says so."""
    cursor = start
    while True:
        async with user.watches(cursor, follow=cut is None) as stream:
            async for event in stream:
                cursor = event["cursor"]
                if event["__typename"] == "SessionChanged":
                    seen[event["session"]["id"]] = event["session"]["title"]
                if cut is not None and cut.random() < 0.05:
                    break


async def test_what_commits_late_is_told_to_all_who_follow_or_come_back(ann, bob, database_url, monkeypatch):
    monkeypatch.setattr(hub, "POLL_SECONDS", 2)  # what is asked here is whether, not when
    dice = random.Random(20261121)
    sessions = [await ann.creates_session("0") for _ in range(24)]
    start = await ann.now()

    async def writes(mine):
        connection = await asyncpg.connect(dsn(database_url))
        for n in range(1, 7):
            async with connection.transaction():
                for session in mine:  # the first takes a transaction number, the last commits long after
                    await connection.execute(RENAME, session.removeprefix("ses_"), f"{n}")
                    await asyncio.sleep(dice.random() * 0.03)
        await connection.close()
        # The hint comes from the servers that write; this writer is none, so one is given on its behalf.
        await ann.does("createTask", type="done")

    live, resumed, polled = {}, {}, {}
    tails = [
        asyncio.create_task(follow(ann, start, live, cut=None)),
        asyncio.create_task(follow(ann, start, resumed, cut=random.Random(7))),
        asyncio.create_task(follow(ann, start, polled, cut=random.Random(8))),
    ]
    await asyncio.gather(*(writes(sessions[place : place + 3]) for place in range(0, 24, 3)))
    wanted = dict.fromkeys(sessions, "6")
    try:
        async with asyncio.timeout(60):
            while not (live == resumed == polled == wanted):
                assert not any(tail.done() for tail in tails)
                await asyncio.sleep(0.05)
    finally:
        for tail in tails:
            tail.cancel()
        await asyncio.gather(*tails, return_exceptions=True)
    assert kinds(await bob.catches_up(await bob.now())) == ["CaughtUp"]


async def test_a_transaction_that_is_open_for_long_is_told_when_it_ends_and_nothing_before_it_is_lost(
    ann, database_url
):
    slow, quick = await ann.creates_session("0"), await ann.creates_session("0")
    start = await ann.quiet_cursor()
    connection = await asyncpg.connect(dsn(database_url))
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(RENAME, slow.removeprefix("ses_"), "late")
        await ann.does("updateSession", id=quick, title="early")
        first = await ann.catches_up(start)
        assert subjects(first[:-1]) == [("SessionChanged", quick)]  # and nothing yet of the slow one
        between = first[-1]["cursor"]
        await transaction.commit()
    finally:
        await connection.close()
    later = await ann.catches_up(between)
    assert ("SessionChanged", slow) in subjects(later)


async def test_a_look_of_several_batches_has_seen_only_what_there_was_when_it_began(ann, database_url):
    """What another reader is told in between may lie among the rows that it has left behind already."""
    start = await ann.now()
    for _ in range(101):
        await ann.does("createTask", type="done")
    db = Database(database_url)
    reader = ViewerReader(db, Viewer(ann.name, frozenset(), (), 0.0), None)
    place, _ = await reader.begin(start)
    half = await reader.read(place)
    assert half.more
    fresh, _ = await reader.begin(None)
    other = await reader.read(fresh)
    whole = await reader.read(half.place)
    assert not whole.more
    assert not whole.place.meets(other.place)
    again = await reader.read(whole.place)
    assert again.place.meets(other.place)
    await db.close()
