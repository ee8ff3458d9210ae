"""sessionEvents: nothing is missed, nothing comes twice, across replays, servers and failures."""

import pytest

from app.live.tuning import LiveTuning
from harness.server_settings import settings_for
from tests.support.ids import row_of
from tests.support.servers import serving
from tests.support.users import Refusal

NO_POLL = LiveTuning(poll_seconds=3600, degraded_poll_seconds=3600)


def kinds(events):
    return [event["__typename"] for event in events]


async def cursor(user, session):
    return (await user.sees(session, "eventCursor"))["eventCursor"]


async def test_a_replay_returns_each_changed_thing_once_in_its_newest_state(ann, bob):
    session = await ann.creates_session("Once")
    start = await cursor(ann, session)
    for text in ("one", "two", "three"):
        await ann.appends(session, text)
    for text in ("2", "zwei"):
        await ann.does("updateMessage", id=f"msg_{row_of(session)}_2", text=text)
    await ann.does("updateSession", id=session, title="Newest")
    await ann.does("putSessionAgent", sessionId=session, key="guide", state={"n": 1})
    await ann.does("putSessionAgent", sessionId=session, key="guide", state={"n": 2})
    events = await ann.replays(session, start)
    assert kinds(events) == ["MessageAdded"] * 3 + ["SessionChanged", "SessionAgentChanged", "CaughtUp"]
    assert [event["message"]["text"] for event in events[:3]] == ["one", "three", "zwei"]
    assert events[3]["session"]["title"] == "Newest"
    assert events[4]["sessionAgent"]["state"] == {"n": 2}
    with pytest.raises(Refusal, match="NOT_FOUND"):
        await bob.replays(session, start)


async def test_a_replay_of_several_batches_is_complete(ann):
    session = await ann.creates_session("Batches")
    start = await cursor(ann, session)
    for _ in range(3):
        messages = [{"role": "USER", "text": "t"}] * 90
        await ann.does("appendMessages", sessionId=session, messages=messages)
    events = await ann.replays(session, start)
    assert kinds(events) == ["SessionChanged", *["MessageAdded"] * 270, "CaughtUp"]
    assert [event["message"]["sequence"] for event in events[1:-1]] == list(range(1, 271))


async def test_an_edited_message_is_added_if_it_is_newer_than_the_cursor_and_else_changed(ann):
    session = await ann.creates_session("Known")
    await ann.appends(session, "known")
    start = await cursor(ann, session)
    await ann.appends(session, "new")
    for sequence in (1, 2):
        await ann.does("updateMessage", id=f"msg_{row_of(session)}_{sequence}", text="changed")
    events = await ann.replays(session, start)
    assert [(event["__typename"], event["message"]["sequence"]) for event in events[:-1]] == [
        ("MessageChanged", 1),
        ("MessageAdded", 2),
    ]


async def test_a_deleted_message_leaves_only_its_id(ann):
    session = await ann.creates_session("Gone")
    start = await cursor(ann, session)
    await ann.appends(session, "secret")
    message = f"msg_{row_of(session)}_1"
    deleted = await ann.does("deleteMessage", "cursor", id=message)
    events = await ann.replays(session, start)
    assert events[-2] == {"__typename": "MessageRemoved", "cursor": events[-2]["cursor"], "messageId": message}
    assert kinds(events) == ["SessionChanged", "MessageRemoved", "CaughtUp"]
    assert kinds(await ann.replays(session, deleted["cursor"])) == ["CaughtUp"]


@pytest.mark.parametrize("mode", ["SOFT", "HARD"])
async def test_a_deleted_session_reaches_live_and_resumed_subscribers(ann, bob, mode):
    session = await ann.creates_session("Gone")
    await ann.appends(session, "hello")
    start = await cursor(ann, session)
    async with ann.follows(session) as live:
        await live.until("CaughtUp")
        deleted = await ann.does("deleteSession", "cursor", id=session, mode=mode)
        kind = "SessionChanged" if mode == "SOFT" else "SessionRemoved"
        event = (await live.until(kind))[-1]
        if mode == "HARD":
            assert [event async for event in live] == []
    late = await ann.replays(session, start)
    assert late[0] == event
    assert kinds(late) == ([kind, "CaughtUp"] if mode == "SOFT" else [kind])
    assert event["cursor"] == deleted["cursor"]
    with pytest.raises(Refusal, match="NOT_FOUND"):
        await bob.replays(session, start)


async def test_an_erased_session_is_absent_after_its_last_cursor(ann):
    session = await ann.creates_session()
    erased = await ann.does("deleteSession", "cursor", id=session, mode="HARD")
    for after in (erased["cursor"], None, "nonsense"):
        with pytest.raises(Refusal, match="NOT_FOUND"):
            await ann.replays(session, after)


async def test_an_unusable_cursor_resets_the_stream_which_continues_from_now(ann):
    session, other = await ann.creates_session("Here"), await ann.creates_session("There")
    await ann.appends(session, "before")
    for unknown in ("", "nonsense", "m.1", "\0", "e.1", await cursor(ann, other), f"e.{row_of(session)}.1.2"):
        await assert_reset(ann, session, unknown, "CURSOR_UNKNOWN")
    number = int((await cursor(ann, session)).rsplit(".", 1)[1])
    for ahead in (number + 1, 10**17):
        await assert_reset(ann, session, f"e.{row_of(session)}.{ahead}", "CURSOR_FROM_THE_FUTURE")


async def assert_reset(user, session, after, reason):
    now = await cursor(user, session)
    async with user.follows(session, after) as stream:
        reset, caught_up = await stream.until("CaughtUp")
        assert reset == {"__typename": "StreamReset", "reason": reason, "cursor": now}
        assert caught_up["cursor"] == now
        await user.appends(session, "after")
        assert (await stream.until("MessageAdded"))[-1]["message"]["text"] == "after"


async def test_a_cursor_below_the_session_horizon_resets_the_stream(ann, sql):
    session = await ann.creates_session("Horizon")
    old = await cursor(ann, session)
    await ann.appends(session, "purged since")
    await sql("update sessions set horizon = head where id = $1", row_of(session))
    events = await ann.replays(session, old)
    assert kinds(events) == ["StreamReset", "CaughtUp"]
    assert events[0]["reason"] == "CURSOR_UNKNOWN"
    assert kinds(await ann.replays(session, events[0]["cursor"])) == ["CaughtUp"]


async def test_every_payload_has_the_cursor_of_its_write(ann):
    created = await ann.does("createSession", "session { id eventCursor } cursor", title="Cursors")
    session, positions = created["session"]["id"], [created["cursor"]]
    assert positions == [created["session"]["eventCursor"]]
    message, row = {"role": "ASSISTANT", "text": "t"}, row_of(session)
    for mutation, input in [
        ("appendMessage", {"sessionId": session, "message": message}),
        ("appendMessages", {"sessionId": session, "messages": [message] * 2}),
        ("updateMessage", {"id": f"msg_{row}_1", "text": "u"}),
        ("deleteMessage", {"id": f"msg_{row}_2"}),
        ("putSessionAgent", {"sessionId": session, "key": "guide"}),
        ("updateSession", {"id": session, "title": "Other"}),
        ("setSessionStatus", {"id": session, "status": "COMPLETED"}),
        ("markSessionRead", {"id": session, "upToSequence": 3}),
        ("archiveSession", {"id": session}),
        ("restoreSession", {"id": session}),
        ("deleteSession", {"id": session, "mode": "SOFT"}),
    ]:
        before = positions[-1]
        payload = await ann.does(mutation, "cursor", **input)
        positions.append(payload["cursor"])
        assert payload["cursor"] == await cursor(ann, session), mutation
        assert len(await ann.replays(session, before)) >= 2, mutation
        assert kinds(await ann.replays(session, payload["cursor"])) == ["CaughtUp"], mutation
    assert len(set(positions)) == len(positions)


async def test_a_replay_resumes_after_any_event(ann):
    session = await ann.creates_session("Resume")
    start = await cursor(ann, session)
    for n in range(4):
        await ann.appends(session, str(n), agentKey="guide")
    await ann.does("updateMessage", id=f"msg_{row_of(session)}_1", text="zero")
    replay = await ann.replays(session, start)
    for index, event in enumerate(replay):
        rest = await ann.replays(session, event["cursor"])
        assert rest == replay[index + 1 :] or kinds(rest) == ["CaughtUp"]


async def test_a_live_subscriber_receives_every_kind_of_change(ann):
    session = await ann.creates_session("Live", status="ACTIVE")
    message = f"msg_{row_of(session)}_1"
    async with ann.follows(session) as live:
        await live.until("CaughtUp")
        for mutation, input, kind in [
            ("appendMessage", {"sessionId": session, "message": {"role": "USER", "text": "t"}}, "MessageAdded"),
            ("updateMessage", {"id": message, "text": "u"}, "MessageChanged"),
            ("deleteMessage", {"id": message}, "MessageRemoved"),
            ("putSessionAgent", {"sessionId": session, "key": "guide"}, "SessionAgentChanged"),
            ("updateSession", {"id": session, "title": "New"}, "SessionChanged"),
            ("archiveSession", {"id": session}, "SessionChanged"),
        ]:
            payload = await ann.does(mutation, "cursor", **input)
            [event] = await live.until(kind)
            assert event["cursor"] == payload["cursor"]


async def test_nothing_is_missed_between_a_query_and_its_subscription(ann):
    session = await ann.creates_session("Gap")
    await ann.appends(session, "seen")
    page = await ann.sees(session, "eventCursor messages { nodes { sequence } }")
    await ann.appends(session, "in between")
    async with ann.follows(session, page["eventCursor"]) as live:
        events = await live.until("CaughtUp")
        await ann.appends(session, "live")
        events += await live.until("MessageAdded")
    added = [event["message"]["sequence"] for event in events if event["__typename"] == "MessageAdded"]
    assert [node["sequence"] for node in page["messages"]["nodes"]] + added == [1, 2, 3]


async def test_a_write_on_one_server_reaches_a_subscriber_of_another(database_url, ann):
    session = await ann.creates_session("Two")
    async with serving(settings_for(database_url), NO_POLL) as other:
        await other.ready()
        elsewhere = other.user(ann.name)
        async with elsewhere.follows(session) as live:
            await live.until("CaughtUp")
            await ann.appends(session, "from the other server")
            assert (await live.until("MessageAdded"))[-1]["message"]["text"] == "from the other server"


async def test_a_killed_bus_connection_reconnects_and_nothing_is_missed(server, database_url, sql, ann):
    session = await ann.creates_session("Killed")
    async with serving(settings_for(database_url), NO_POLL) as other:
        await other.ready()
        async with other.user(ann.name).follows(session) as live:
            await live.until("CaughtUp")
            killed = await sql(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
                " and (query ilike 'listen%' or query like '%pg_notify%') and pid <> pg_backend_pid()"
            )
            assert len(killed) == 2
            await ann.appends(session, "while both were disconnected")
            assert (await live.until("MessageAdded"))[-1]["message"]["text"] == "while both were disconnected"
            await server.ready()
            await other.ready()
            await ann.appends(session, "after both have reconnected")
            assert (await live.until("MessageAdded"))[-1]["message"]["text"] == "after both have reconnected"
