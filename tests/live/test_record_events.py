"""RecordChanged in viewerEvents: the live records of an owner, and nothing of other records and owners."""

import asyncio
import random

from app.record_path import path_of
from harness.server_settings import settings_for
from tests.live.test_session_events import NO_POLL, kinds
from tests.support.servers import serving

LIVE = ["live", "carts"]


def record(key, value=1, namespace=LIVE, **fields):
    return {"namespace": list(namespace), "key": key, "value": value, **fields}


def name(key, namespace=LIVE):
    return {"namespace": list(namespace), "key": key}


def values(events):
    """The value of each record in the newest of its events; None for a record that is absent."""
    changed = [event for event in events if event["__typename"] == "RecordChanged"]
    return {(*e["namespace"], e["key"]): e["record"] and e["record"]["value"] for e in changed}


async def read_until(stream, key, value):
    """Reads events until the record of `LIVE` has this value, or is absent: None."""
    while values(await stream.until("RecordChanged")).get((*LIVE, key), ...) != value:
        pass


async def test_an_owner_receives_changes_of_live_records_and_no_other_owner(ann, bob):
    async with ann.watches() as hers, bob.watches() as his:
        await hers.until("CaughtUp")
        await his.until("CaughtUp")
        await ann.does("putRecords", records=[record("a", {"n": 1}), record("quiet", namespace=["notes", "live"])])
        await read_until(hers, "a", {"n": 1})
        await ann.does("putRecords", records=[record("a", 2)])
        await read_until(hers, "a", 2)
        await ann.does("deleteRecords", keys=[name("a")])
        await read_until(hers, "a", None)
        await ann.does("putRecords", records=[record("a", 3, expectedRevision=0)])
        await read_until(hers, "a", 3)
        await ann.does("deleteRecords", namespacePrefix=["live"])
        await read_until(hers, "a", None)
        await bob.does("putRecords", records=[record("a", "other", namespace=["lively"])])
        await bob.does("putRecords", records=[record("a", "his", namespace=["live"])])
        [changed] = await his.until("RecordChanged")
        assert (changed["namespace"], changed["key"], changed["record"]["value"]) == (["live"], "a", "his")


async def test_a_replay_has_the_latest_state_of_each_live_record_once(ann, bob):
    await ann.does("putRecords", records=[record(key) for key in ("kept", "named", "below", "untouched")])
    start = await ann.quiet_cursor()
    for value in (2, 3):
        await ann.does("putRecords", records=[record("kept", value), record("gone", value)])
    others = (["lively"], ["liv"], ["notes", "live"], [])
    await ann.does("putRecords", records=[record("k", namespace=["live"]), *(record("k", 1, each) for each in others)])
    await ann.does("deleteRecords", keys=[name("named"), name("gone"), name("never")])
    await ann.does("deleteRecords", namespacePrefix=LIVE, keyTo="below")
    [*events, caught_up] = await ann.catches_up(start)
    assert caught_up["__typename"] == "CaughtUp"
    expected = {"kept": 3, "named": None, "gone": None, "below": None}
    assert values(events) == {(*LIVE, key): value for key, value in expected.items()} | {("live", "k"): 1}
    assert len(events) == len(expected) + 1
    assert kinds(await ann.catches_up(await ann.quiet_cursor())) == ["CaughtUp"]
    # On Citus the cursor of an owner on another node is unknown.
    assert set(kinds(await bob.catches_up(start))) <= {"StreamReset", "CaughtUp"}


async def test_a_deleted_live_record_is_absent_and_empty(ann, sql):
    await ann.does("putRecords", records=[record("a", "secret", metadata={"secret": 1}), record("b")])
    query = """{
      records { totalCount nodes { key } }
      record(namespace: ["live", "carts"], key: "a") { id }
    }"""
    for deleted in (1, 0):
        assert (await ann.does("deleteRecords", "deletedCount", keys=[name("a")]))["deletedCount"] == deleted
    found = await ann.asks(query)
    assert (found["records"], found["record"]) == ({"totalCount": 1, "nodes": [{"key": "b"}]}, None)
    rows = await sql("select records::text as text from records where path = $1", path_of(LIVE, "a"))
    assert rows
    assert "secret" not in str(rows)
    payload = await ann.does("putRecords", "records { revision }", records=[record("a", 2, expectedRevision=0)])
    assert (payload["errors"], payload["records"]) == ([], [{"revision": 1}])
    assert (await ann.does("deleteRecords", "deletedCount", namespacePrefix=[]))["deletedCount"] == 2


async def test_an_erased_session_takes_its_live_records_with_it(ann, bob, sql):
    """SessionRemoved is the event for them: no row with their names is left."""
    session, kept = await ann.creates_session(), await ann.creates_session()
    await ann.does("putRecords", records=[record("moved"), record("k", sessionId=kept)])
    await bob.does("putRecords", records=[record("moved")])
    await ann.does("putRecords", records=[record(key, sessionId=session) for key in ("erased", "deleted and erased")])
    await ann.does("deleteRecords", keys=[{"namespace": list(LIVE), "key": "deleted and erased"}])
    start = await ann.quiet_cursor()
    await ann.does("putRecords", records=[record("moved", 2, sessionId=session)])
    await ann.does("deleteSession", id=session)
    assert values(await ann.catches_up(start)) == {(*LIVE, "moved"): 2}
    async with ann.watches(await ann.now()) as live:
        await live.until("CaughtUp")
        await ann.does("deleteSession", id=session, mode="HARD")
        assert (await live.until("SessionRemoved"))[-1]["sessionId"] == session
    events = await ann.catches_up(start)
    assert [(event["__typename"], event.get("sessionId")) for event in events] == [
        ("SessionRemoved", session),
        ("CaughtUp", None),
    ]
    found = await ann.asks('{ records(namespacePrefix: ["live"]) { nodes { key session { id } } } }')
    assert found["records"]["nodes"] == [{"key": "k", "session": {"id": kept}}]
    assert not await sql("select from records where owner_id = $1 and path like '%erased'", ann.name)
    assert len(await sql("select from records where owner_id = $1", bob.name)) == 1


async def test_records_and_other_changes_of_one_owner_come_in_the_order_of_their_commits(ann):
    start = await ann.quiet_cursor()
    task = await ann.does("createTask", "task { id }", type="t")
    await ann.does("putRecords", records=[record("a")])
    session = await ann.creates_session("s")
    await ann.does("deleteRecords", keys=[name("a")])
    await ann.does("putRecords", records=[record("b")])
    assert kinds(await ann.catches_up(start)) == [
        "TaskChanged",
        "SessionChanged",
        "RecordChanged",
        "RecordChanged",
        "CaughtUp",
    ]
    await ann.does("setTaskStatus", id=task["task"]["id"], status="ACTIVE")
    await ann.does("updateSession", id=session, title="t")
    expected = ["RecordChanged", "RecordChanged", "TaskChanged", "SessionChanged", "CaughtUp"]
    assert kinds(await ann.catches_up(start)) == expected


async def test_a_cursor_older_than_the_tombstones_of_records_resets_the_stream(ann):
    epoch, xid, at = (await ann.now()).removeprefix("v.").split(".")
    for days, expected in ((29, ["CaughtUp"]), (31, ["StreamReset", "CaughtUp"])):
        assert kinds(await ann.catches_up(f"v.{epoch}.{xid}.{int(at) - days * 86_400}")) == expected


async def test_a_replay_of_several_batches_is_complete_and_resumes_anywhere(ann):
    start = await ann.now()
    keys = [f"{number:03}" for number in range(230)]
    for first in range(0, 230, 100):
        await ann.does("putRecords", records=[record(key) for key in keys[first : first + 100]])
    await ann.creates_session("After")
    events = await ann.catches_up(start)
    everything = {(*LIVE, key): 1 for key in keys}
    assert values(events) == everything
    assert "SessionChanged" in kinds(events)
    for count in (1, 99, 100, 101, 229):
        rest = await ann.catches_up(events[count - 1]["cursor"])
        assert values(events[:count]) | values(rest) == everything


async def test_a_put_on_one_server_reaches_viewer_events_of_another(database_url, ann):
    async with serving(settings_for(database_url), NO_POLL) as other:
        await other.ready()
        async with other.user(ann.name).watches() as live:
            await live.until("CaughtUp")
            await ann.does("putRecords", records=[record("a", "elsewhere")])
            await read_until(live, "a", "elsewhere")
            await ann.does("deleteRecords", keys=[name("a")])
            await read_until(live, "a", None)


async def test_nothing_is_missed_between_a_query_and_viewer_events(ann):
    """A client reads all records and subscribes during puts and deletions: in the end it has what is stored."""
    dice = random.Random(20261127)
    keys = [f"{number}" for number in range(6)]

    async def write(key):
        for n in range(10):
            if dice.random() < 0.4:
                await ann.does("deleteRecords", keys=[name(key)])
            else:
                await ann.does("putRecords", records=[record(key, n)])
        await ann.does("putRecords", records=[record(key, "end")])
        if key in "024":
            await ann.does("deleteRecords", keys=[name(key)])

    async def follow():
        query = '{ viewer { eventCursor } records(namespacePrefix: ["live"]) { nodes { namespace key value } } }'
        page = await ann.asks(query)
        seen = {(*node["namespace"], node["key"]): node["value"] for node in page["records"]["nodes"]}
        expected = {(*LIVE, key): None if key in "024" else "end" for key in keys}
        async with ann.watches(page["viewer"]["eventCursor"]) as stream, asyncio.timeout(30):
            while seen != expected:
                seen |= values(await stream.until("RecordChanged"))

    following = [asyncio.create_task(follow()) for _ in range(3)]
    await asyncio.gather(*(write(key) for key in keys))
    await asyncio.gather(*following)
