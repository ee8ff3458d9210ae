"""Records that several clients write at the same time: no update is lost, and no change of a live record is missed."""

import asyncio
import json
import random

import asyncpg

from app.live.tuning import LiveTuning
from app.record_path import path_of
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.support.servers import serving

READ = "query ($n: [String!]!, $k: String!) { record(namespace: $n, key: $k) { value revision } }"
CHANGE = "update records set value = $2 where owner_id = $3 and path = $1"
EMPTY = """update records set value = 'null', "binary" = null, metadata = '{}', tags = '{}', text = '',
    expires_at = '-infinity', updated_at = now() where owner_id = $2 and path = $1"""


def record(key, value, namespace=("live",), **fields):
    return {"namespace": list(namespace), "key": key, "value": value, **fields}


async def puts(user, *records):
    """The revisions, or the only error."""
    payload = await user.does("putRecords", "records { revision }", records=list(records))
    return payload["errors"][0] if payload["errors"] else [each["revision"] for each in payload["records"]]


async def reads(user, key, namespace=("live",)):
    return (await user.asks(READ, n=list(namespace), k=key))["record"]


async def test_of_concurrent_puts_at_one_revision_one_succeeds(user):
    ann, bob = user("ann"), user("bob")
    await puts(ann, record("k", 0)), await puts(bob, record("k", "his"))
    for revision in range(1, 6):
        results = await asyncio.gather(*(puts(ann, record("k", n, expectedRevision=revision)) for n in range(8)))
        assert [result for result in results if isinstance(result, list)] == [[revision + 1]]
        refused = [result for result in results if isinstance(result, dict)]
        assert {(each["code"], each["currentRevision"]) for each in refused} == {("CONFLICT", revision + 1)}
    assert (await reads(ann, "k"))["revision"] == 6
    assert await reads(bob, "k") == {"value": "his", "revision": 1}


async def test_of_concurrent_first_puts_one_creates_the_record(ann):
    for key in "abc":
        results = await asyncio.gather(*(puts(ann, record(key, n, expectedRevision=0)) for n in range(8)))
        assert sorted(isinstance(result, list) for result in results) == [False] * 7 + [True]
        assert (await reads(ann, key))["revision"] == 1


async def test_increments_of_two_counters_at_expected_revisions_lose_none(user, database_url):
    """On two servers, beside other owners and beside deletions: a counter that was deleted begins at revision 1."""
    async with serving(settings_for(database_url)) as second:
        ann, bob = user("ann"), user("bob")
        writers = [ann, second.user(ann.name)]

        async def increments(writer, keys, times):
            done = 0
            while done < times:
                found = [await reads(writer, key) or {"value": 0, "revision": 0} for key in keys]
                new = [
                    record(key, each["value"] + 1, expectedRevision=each["revision"])
                    for key, each in zip(keys, found, strict=True)
                ]
                done += isinstance(await puts(writer, *new), list)

        async def begins_again():
            for _ in range(20):
                await ann.does("deleteRecords", keys=[{"namespace": ["live"], "key": "deleted"}])

        work = [increments(writers[n % 2], ["a", "b"] if n % 3 else ["b", "a"], 10) for n in range(6)]
        await asyncio.gather(*work, increments(bob, ["a", "b"], 10), increments(ann, ["deleted"], 20), begins_again())
        for owner, expected in ((ann, 60), (bob, 10)):
            for key in "ab":
                assert await reads(owner, key) == {"value": expected, "revision": expected}
        if (left := await reads(ann, "deleted")) is not None:
            assert left["value"] == left["revision"] <= 20


async def test_concurrent_puts_of_the_same_records_in_any_order_all_succeed(ann):
    keys = [f"{number}" for number in range(20)]
    results = await asyncio.gather(
        *(puts(ann, *(record(key, n) for key in (keys if n % 2 else keys[::-1]))) for n in range(10))
    )
    assert all(isinstance(result, list) for result in results)
    found = [await reads(ann, key) for key in keys]
    assert {each["revision"] for each in found} == {10}
    assert len({each["value"] for each in found}) == 1


async def test_puts_and_deletions_of_the_same_records_meet_no_deadlock(ann):
    keys = [f"{number}" for number in range(20)]

    async def deletes(**input):
        payload = await ann.does("deleteRecords", "deletedCount", **input)
        assert payload["errors"] == []

    for _ in range(5):
        names = [{"namespace": ["live"], "key": key} for key in reversed(keys)]
        await asyncio.gather(
            *(puts(ann, *(record(key, n) for key in keys)) for n in range(3)),
            deletes(keys=names),
            deletes(namespacePrefix=["live"]),
            deletes(namespacePrefix=[], keyTo="5"),
        )
    await puts(ann, *(record(key, "end") for key in keys))
    assert [(await reads(ann, key))["value"] for key in keys] == ["end"] * 20


async def follow(user, start, seen, *, cut):
    """Keeps the newest value of each record in `seen`; with `cut`, a random generator, reconnects now and then."""
    cursor = start
    while True:
        async with user.watches(cursor, follow=cut is None) as stream:
            async for event in stream:
                cursor = event["cursor"]
                if event["__typename"] == "RecordChanged":
                    seen[event["key"]] = event["record"] and event["record"]["value"]
                if cut is not None and cut.random() < 0.05:
                    break


async def test_late_commits_of_live_records_reach_live_and_resumed_subscribers(user, database_url):
    async with serving(settings_for(database_url), LiveTuning(poll_seconds=2)) as server:
        ann, bob = (server.user(user(name).name) for name in ("ann", "bob"))
        await commit_out_of_order(ann, database_url)
        assert [event["__typename"] for event in await bob.catches_up(await bob.now())] == ["CaughtUp"]


async def commit_out_of_order(ann, database_url):
    dice = random.Random(20261127)
    keys = [f"{number:02}" for number in range(24)]
    deleted = set(keys[::4])
    await puts(ann, *(record(key, 0) for key in keys))
    start = await ann.now()

    async def write(mine):
        connection = await asyncpg.connect(dsn(database_url))
        for n in range(1, 7):
            async with connection.transaction():
                for key in mine:  # the first gets a transaction id, the last commits long after
                    path = path_of(["live"], key)
                    if n == 6 and key in deleted:
                        await connection.execute(EMPTY, path, ann.name)
                    else:
                        await connection.execute(CHANGE, path, json.dumps(n), ann.name)
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
    await asyncio.gather(*(write(keys[first : first + 3]) for first in range(0, 24, 3)))
    expected = {key: None if key in deleted else 6 for key in keys}
    try:
        async with asyncio.timeout(60):
            while not (live == resumed == polled == expected):
                assert not any(tail.done() for tail in tails)
                await asyncio.sleep(0.05)
    finally:
        for tail in tails:
            tail.cancel()
        await asyncio.gather(*tails, return_exceptions=True)
