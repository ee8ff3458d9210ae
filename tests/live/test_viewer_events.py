"""The sidebar's one subscription: everything of one's own that changes, and nothing of anybody else's."""

import asyncio
import re

import pytest

from harness.server_settings import settings_for
from tests.live.test_session_events import kinds, no_poll  # noqa: F401  (no_poll is a fixture)
from tests.support.ids import row_of
from tests.support.servers import serving


def subjects(events):
    """Each event's kind and the thing it tells of."""
    found = []
    for event in events:
        thing = event.get("session") or event.get("task") or event.get("approval") or {}
        found.append((event["__typename"], thing.get("id") or event.get("sessionId")))
    return found


async def until_told(stream, kind, id, so=lambda thing: True):
    """What the first event of this kind tells of this thing, if it is `so`."""
    while True:
        event = (await stream.until(kind))[-1]
        [thing] = [event.get(name) for name in ("session", "task", "approval", "sessionId") if name in event]
        if subjects([event]) == [(kind, id)] and so(thing):
            return thing


async def test_the_sidebar_hears_of_everything_that_happens_to_its_owner(ann, bob):
    async with ann.watches() as hers, bob.watches() as his:
        assert kinds(await hers.until("CaughtUp")) == ["CaughtUp"]
        await his.until("CaughtUp")
        session = await ann.creates_session("New")
        assert (await until_told(hers, "SessionChanged", session))["title"] == "New"
        await ann.does("updateSession", id=session, title="Renamed")
        await until_told(hers, "SessionChanged", session, lambda told: told["title"] == "Renamed")
        await ann.appends(session, "hello", role="ASSISTANT")
        told = await until_told(hers, "SessionChanged", session, lambda told: told["messageCount"] == 1)
        assert (told["unreadCount"], told["status"]) == (1, "ACTIVE")
        await ann.does("markSessionRead", id=session, upToSequence=1)
        await until_told(hers, "SessionChanged", session, lambda told: told["unreadCount"] == 0)
        for home in (None, session):
            given = {"type": "refund", **({"sessionId": home} if home else {})}
            task = (await ann.does("createTask", "task { id }", **given))["task"]["id"]
            await until_told(hers, "TaskChanged", task)
            approval = (await ann.does("requestApproval", "approval { id }", taskId=task))["approval"]["id"]
            await until_told(hers, "ApprovalChanged", approval)
            await ann.does("decideApproval", id=approval, decision="APPROVE")
            await until_told(hers, "ApprovalChanged", approval, lambda told: told["status"] == "APPROVED")
        await ann.does("archiveSession", id=session)
        await until_told(hers, "SessionChanged", session, lambda told: told["archivedAt"])
        await ann.does("deleteSession", id=session, mode="HARD")
        await until_told(hers, "SessionRemoved", session)
        mine = await bob.creates_session("His")
        [first] = await his.until("SessionChanged")
        assert first["session"]["id"] == mine


async def test_a_replay_tells_each_changed_thing_once_and_newest(ann, bob):
    kept, gone = await ann.creates_session("Kept"), await ann.creates_session("Gone")
    quiet = await ann.creates_session("Quiet")
    start = await ann.quiet_cursor()
    for title in ("Second", "Third"):
        await ann.does("updateSession", id=kept, title=title)
    task = (await ann.does("createTask", "task { id }", type="refund"))["task"]["id"]
    await ann.does("setTaskStatus", id=task, status="ACTIVE")
    await ann.does("deleteSession", id=gone, mode="HARD")
    events = await ann.catches_up(start)
    assert sorted(subjects(events[:-1])) == sorted(
        [("SessionChanged", kept), ("TaskChanged", task), ("SessionRemoved", gone)]
    )
    assert events[-1]["__typename"] == "CaughtUp"
    assert quiet not in str(events)
    [changed] = [event["session"] for event in events if event["__typename"] == "SessionChanged"]
    assert changed["title"] == "Third"
    assert kinds(await ann.catches_up(await ann.quiet_cursor())) == ["CaughtUp"]
    assert kinds(await bob.catches_up(start)) == ["CaughtUp"]


async def test_a_replay_of_more_than_a_batch_is_whole_and_can_be_cut_anywhere(ann):
    start = await ann.now()
    sessions = {await ann.creates_session(f"{n}") for n in range(230)}
    events = await ann.catches_up(start)
    assert [id for _, id in subjects(events[:-1])] == sorted(sessions)  # ids and transactions grow alike
    for place in (1, 99, 100, 199, 229):
        seen = {id for _, id in subjects(events[:place])}
        rest = {id for _, id in subjects(await ann.catches_up(events[place - 1]["cursor"]))}
        assert sessions <= seen | rest


async def test_what_is_no_cursor_of_this_stream_resets_it_and_it_goes_on_from_now(ann):
    session = await ann.creates_session("Here")
    now = await ann.now()
    epoch, xid, at = re.fullmatch(r"v\.(\d+)\.(\d+)\.(\d+)", now).groups()
    of_session = (await ann.sees(session, "eventCursor"))["eventCursor"]
    for after, reason in [
        ("", "CURSOR_UNKNOWN"),
        ("nonsense", "CURSOR_UNKNOWN"),
        (of_session, "CURSOR_UNKNOWN"),
        (f"v.{int(epoch) + 1}.{xid}.{at}", "CURSOR_UNKNOWN"),
        (f"v.{epoch}.{int(xid) + 1_000_000}.{at}", "CURSOR_FROM_THE_FUTURE"),
        (f"v.{epoch}.{10**19}.{at}", "CURSOR_FROM_THE_FUTURE"),
    ]:
        async with ann.watches(after) as stream:
            reset, _ = await stream.until("CaughtUp")
            assert (reset["__typename"], reset["reason"]) == ("StreamReset", reason), after
            assert kinds(await ann.catches_up(reset["cursor"]))[-1] == "CaughtUp"
            await ann.does("updateSession", id=session, title=after or "empty")
            assert (await stream.until("SessionChanged"))[-1]["session"]["id"] == session


async def test_a_cursor_from_before_the_tombstones_were_purged_resets_the_stream(database_url, ann):
    async with serving(settings_for(database_url, session_purge_days=1)) as purging:
        user = purging.user(ann.name)
        epoch, xid, at = (await user.now()).removeprefix("v.").split(".")
        assert kinds(await user.catches_up(f"v.{epoch}.{xid}.{int(at) - 86_000}")) == ["CaughtUp"]
        assert kinds(await user.catches_up(f"v.{epoch}.{xid}.{int(at) - 87_000}")) == ["StreamReset", "CaughtUp"]


async def test_a_write_at_one_server_wakes_a_sidebar_at_another(no_poll, server, database_url, ann):  # noqa: F811
    async with serving(settings_for(database_url)) as other:
        await other.ready()
        async with other.user(ann.name).watches() as live:
            await live.until("CaughtUp")
            session = await ann.creates_session("Elsewhere")
            await until_told(live, "SessionChanged", session)


@pytest.mark.parametrize("busy", [8])
async def test_whatever_a_query_has_not_seen_comes_after_its_cursor(ann, busy):
    """A sidebar asks and subscribes while others write: what it shows in the end is what there is."""
    sessions = [await ann.creates_session("0") for _ in range(busy)]

    async def writes(session):
        for n in range(1, 13):
            await ann.does("updateSession", id=session, title=f"{n}")

    async def looks():
        page = await ann.asks("{ sessions(first: 20) { nodes { id title } } viewer { eventCursor } }")
        titles = {node["id"]: node["title"] for node in page["sessions"]["nodes"]}
        async with ann.watches(page["viewer"]["eventCursor"]) as stream:
            async with asyncio.timeout(30):
                while set(titles.values()) != {"12"}:
                    event = (await stream.until("SessionChanged"))[-1]["session"]
                    titles[event["id"]] = event["title"]
        return titles

    looking = [asyncio.create_task(looks()) for _ in range(4)]
    await asyncio.gather(*(writes(session) for session in sessions))
    for titles in await asyncio.gather(*looking):
        assert titles.keys() == set(sessions)


async def test_a_tombstone_says_no_more_than_its_id(ann):
    session = await ann.creates_session("Secret")
    start = await ann.now()
    await ann.does("deleteSession", id=session, mode="HARD")
    [removed, _] = await ann.catches_up(start)
    assert removed == {"__typename": "SessionRemoved", "cursor": removed["cursor"], "sessionId": session}
    assert row_of(session) not in removed["cursor"]
