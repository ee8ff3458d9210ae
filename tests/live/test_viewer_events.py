"""viewerEvents: all changes of an owner's sessions, tasks and approvals, and nothing of other owners."""

import asyncio
import re

import pytest

from harness.server_settings import settings_for
from tests.live.test_session_events import NO_POLL, kinds
from tests.support.ids import row_of
from tests.support.servers import serving


def subjects(events):
    """The kind of each event, and the id of its session, task or approval."""
    found = []
    for event in events:
        thing = event.get("session") or event.get("task") or event.get("approval") or {}
        found.append((event["__typename"], thing.get("id") or event.get("sessionId")))
    return found


async def read_until(stream, kind, id, matches=lambda thing: True):
    """The session, task or approval of the first event of this kind and id that matches."""
    while True:
        event = (await stream.until(kind))[-1]
        [thing] = [event.get(name) for name in ("session", "task", "approval", "sessionId") if name in event]
        if subjects([event]) == [(kind, id)] and matches(thing):
            return thing


async def test_an_owner_receives_every_change_and_no_other_owners(ann, bob):
    async with ann.watches() as hers, bob.watches() as his:
        assert kinds(await hers.until("CaughtUp")) == ["CaughtUp"]
        await his.until("CaughtUp")
        session = await ann.creates_session("New")
        assert (await read_until(hers, "SessionChanged", session))["title"] == "New"
        await ann.does("updateSession", id=session, title="Renamed")
        await read_until(hers, "SessionChanged", session, lambda thing: thing["title"] == "Renamed")
        await ann.appends(session, "hello", role="ASSISTANT")
        changed = await read_until(hers, "SessionChanged", session, lambda thing: thing["messageCount"] == 1)
        assert (changed["unreadCount"], changed["status"]) == (1, "ACTIVE")
        await ann.does("markSessionRead", id=session, upToSequence=1)
        await read_until(hers, "SessionChanged", session, lambda thing: thing["unreadCount"] == 0)
        for home in (None, session):
            given = {"type": "refund", **({"sessionId": home} if home else {})}
            task = (await ann.does("createTask", "task { id }", **given))["task"]["id"]
            await read_until(hers, "TaskChanged", task)
            approval = (await ann.does("requestApproval", "approval { id }", taskId=task))["approval"]["id"]
            await read_until(hers, "ApprovalChanged", approval)
            await ann.does("decideApproval", id=approval, decision="APPROVE")
            await read_until(hers, "ApprovalChanged", approval, lambda thing: thing["status"] == "APPROVED")
        await ann.does("archiveSession", id=session)
        await read_until(hers, "SessionChanged", session, lambda thing: thing["archivedAt"])
        await ann.does("deleteSession", id=session, mode="HARD")
        await read_until(hers, "SessionRemoved", session)
        mine = await bob.creates_session("His")
        [first] = await his.until("SessionChanged")
        assert first["session"]["id"] == mine


async def test_a_viewer_replay_returns_each_changed_thing_once_in_its_newest_state(ann, bob):
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
    # On Citus the cursor of an owner on another node is unknown.
    assert set(kinds(await bob.catches_up(start))) <= {"StreamReset", "CaughtUp"}


async def test_a_viewer_replay_of_several_batches_is_complete_and_resumes_anywhere(ann):
    start = await ann.now()
    sessions = {await ann.creates_session(f"{n}") for n in range(230)}
    events = await ann.catches_up(start)
    assert [id for _, id in subjects(events[:-1])] == sorted(sessions)  # ids and transactions grow alike
    for count in (1, 99, 100, 199, 229):
        seen = {id for _, id in subjects(events[:count])}
        rest = {id for _, id in subjects(await ann.catches_up(events[count - 1]["cursor"]))}
        assert sessions <= seen | rest


async def test_an_unusable_viewer_cursor_resets_the_stream_which_continues_from_now(ann):
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
            reset, *_ = await stream.until("CaughtUp")  # an open transaction elsewhere has changes delivered again
            assert (reset["__typename"], reset["reason"]) == ("StreamReset", reason), after
            assert kinds(await ann.catches_up(reset["cursor"]))[-1] == "CaughtUp"
            await ann.does("updateSession", id=session, title=after or "empty")
            assert (await stream.until("SessionChanged"))[-1]["session"]["id"] == session


async def test_a_cursor_older_than_the_kept_tombstones_resets_the_stream(database_url, ann):
    async with serving(settings_for(database_url, session_purge_days=1)) as purging:
        user = purging.user(ann.name)
        epoch, xid, at = (await user.now()).removeprefix("v.").split(".")
        assert kinds(await user.catches_up(f"v.{epoch}.{xid}.{int(at) - 86_000}")) == ["CaughtUp"]
        assert kinds(await user.catches_up(f"v.{epoch}.{xid}.{int(at) - 87_000}")) == ["StreamReset", "CaughtUp"]


async def test_a_write_on_one_server_reaches_viewer_events_of_another(database_url, ann):
    async with serving(settings_for(database_url), NO_POLL) as other:
        await other.ready()
        async with other.user(ann.name).watches() as live:
            await live.until("CaughtUp")
            session = await ann.creates_session("Elsewhere")
            await read_until(live, "SessionChanged", session)


@pytest.mark.parametrize("busy", [8])
async def test_nothing_is_missed_between_a_query_and_viewer_events(ann, busy):
    """A sidebar queries and subscribes during writes: in the end it has every newest title."""
    sessions = [await ann.creates_session("0") for _ in range(busy)]

    async def write(session):
        for n in range(1, 13):
            await ann.does("updateSession", id=session, title=f"{n}")

    async def follow():
        page = await ann.asks("{ sessions(first: 20) { nodes { id title } } viewer { eventCursor } }")
        titles = {node["id"]: node["title"] for node in page["sessions"]["nodes"]}
        async with ann.watches(page["viewer"]["eventCursor"]) as stream:
            async with asyncio.timeout(30):
                while set(titles.values()) != {"12"}:
                    event = (await stream.until("SessionChanged"))[-1]["session"]
                    titles[event["id"]] = event["title"]
        return titles

    following = [asyncio.create_task(follow()) for _ in range(4)]
    await asyncio.gather(*(write(session) for session in sessions))
    for titles in await asyncio.gather(*following):
        assert titles.keys() == set(sessions)


async def test_a_removed_session_leaves_only_its_id(ann):
    session = await ann.creates_session("Secret")
    start = await ann.now()
    await ann.does("deleteSession", id=session, mode="HARD")
    [removed, _] = await ann.catches_up(start)
    assert removed == {"__typename": "SessionRemoved", "cursor": removed["cursor"], "sessionId": session}
    assert row_of(session) not in removed["cursor"]
