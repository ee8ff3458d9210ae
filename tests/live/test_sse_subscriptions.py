"""Live events over SSE: the same request resumes after the id of the last event."""

import asyncio

from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.users import EVENTS, VIEWER_EVENTS

TEXTS = """
subscription ($session: ID!, $after: String, $follow: Boolean! = true) {
  sessionEvents(sessionId: $session, after: $after, follow: $follow) {
    __typename ... on MessageAdded { message { text } }
  }
}
"""


def data_of(event):
    """The live event in a `next` event."""
    assert event.kind == "next", event
    [live_event] = event.data["data"].values()
    return live_event


async def codes(stream):
    """The codes of the errors that end the stream."""
    [(kind, data, _), end] = [event async for event in stream]
    assert (kind, end.kind) == ("next", "complete")
    return [error["extensions"]["code"] for error in data["errors"]]


async def test_every_event_of_a_session_has_its_cursor_as_id(ann):
    session = await ann.creates_session("Streamed", status="ACTIVE")
    async with ann.streams(EVENTS, session=session, after=None, follow=True) as stream:
        caught_up = await anext(stream)
        assert (data_of(caught_up)["__typename"], caught_up.id) == ("CaughtUp", data_of(caught_up)["cursor"])
        for text in ("one", "two"):
            await ann.appends(session, text)
            added = await anext(stream)
            assert (data_of(added)["message"]["text"], added.id) == (text, data_of(added)["cursor"])


async def test_a_replay_ends_with_complete_and_a_query_has_no_id(ann):
    session = await ann.creates_session("Replayed", status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    await ann.appends(session, "said")
    async with ann.streams(TEXTS, session=session, after=start, follow=False) as stream:
        kinds = [event.data and data_of(event)["__typename"] async for event in stream]
    assert kinds == ["MessageAdded", "CaughtUp", None]
    async with ann.streams("{ viewer { id } }") as stream:
        answered, end = [event async for event in stream]
    assert (answered.kind, answered.id, end.kind) == ("next", None, "complete")


async def test_a_repeated_request_resumes_after_the_last_event_id(ann):
    """One connection for each event, while messages are appended; the selection has no cursor, `after` stays the same."""
    session = await ann.creates_session("Cut", status="ACTIVE")
    request = {"session": session, "after": (await ann.sees(session, "eventCursor"))["eventCursor"]}

    async def write():
        for number in range(30):
            await ann.appends(session, str(number))

    writing = asyncio.create_task(write())
    texts, last_id, connections = [], None, 0
    while len(texts) < 30:
        async with ann.streams(TEXTS, last_id, **request) as stream:
            connections += 1
            async for event in stream:
                last_id = event.id
                if data_of(event)["__typename"] == "MessageAdded":
                    texts.append(data_of(event)["message"]["text"])
                    break
    await writing
    assert texts == [str(number) for number in range(30)]
    assert connections == 30


async def test_viewer_events_resume_after_the_last_event_id(ann):
    first, second = [await ann.creates_session(title) for title in ("first", "second")]
    async with ann.streams(VIEWER_EVENTS, after=None, follow=True) as stream:
        # A transaction elsewhere on the PostgreSQL of all tests may keep the beginning before the sessions' creation.
        while data_of(await anext(stream))["__typename"] != "CaughtUp":
            pass
        await ann.does("updateSession", id=first, title="renamed")
        assert data_of(await anext(stream))["session"]["title"] == "renamed"
    await ann.does("updateSession", id=second, title="meanwhile")
    async with ann.streams(VIEWER_EVENTS, stream.last_id, after=None, follow=False) as stream:
        events = [data_of(event) async for event in stream if event.kind == "next"]
    assert "meanwhile" in [event["session"]["title"] for event in events if event["__typename"] == "SessionChanged"]
    assert events[-1]["__typename"] == "CaughtUp"


async def test_an_unknown_last_event_id_resets_the_stream(ann):
    session = await ann.creates_session("Reset")
    for last_id in ("nonsense", f"e.{'0' * 8}-0000-7000-8000-{'0' * 12}.1", "1"):
        async with ann.streams(EVENTS, last_id, session=session, after=None, follow=False) as stream:
            reset, caught_up, _ = [event async for event in stream]
        assert (data_of(reset)["__typename"], data_of(reset)["reason"]) == ("StreamReset", "CURSOR_UNKNOWN")
        assert data_of(caught_up)["__typename"] == "CaughtUp"


async def test_another_user_gets_not_found(ann, bob):
    session = await ann.creates_session("Mine")
    async with ann.streams(EVENTS, session=session, after=None, follow=True) as stream:
        caught_up = await anext(stream)
        for last_id in (None, caught_up.id):
            async with bob.streams(EVENTS, last_id, session=session, after=None, follow=True) as his:
                assert await codes(his) == ["NOT_FOUND"]


async def test_event_streams_and_sockets_share_one_limit(fresh_database):
    async with serving(settings_for(await fresh_database(), max_subscribers_per_user=2)) as server:
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session("Limited")
        request = {"session": session, "after": None, "follow": True}
        async with ann.follows(session) as socket, ann.streams(EVENTS, **request) as stream:
            await socket.until("CaughtUp")
            await anext(stream)
            async with ann.streams(EVENTS, **request) as third:
                assert await codes(third) == ["RATE_LIMITED"]
            async with bob.watches() as other:
                await other.until("CaughtUp")
            page = (await server.http.get(f"{server.url}/metrics")).text
            assert {"colloquy_event_streams 1.0", "colloquy_subscribers 2.0"} <= set(page.splitlines())
        async with ann.streams(EVENTS, **request) as again:
            assert data_of(await anext(again))["__typename"] == "CaughtUp"


async def test_event_streams_and_sockets_of_a_session_receive_the_same(ann):
    session = await ann.creates_session("Shared", status="ACTIVE")
    request = {"session": session, "after": None, "follow": True}
    async with (
        ann.follows(session) as socket,
        ann.streams(EVENTS, **request) as one,
        ann.streams(TEXTS, session=session) as two,
    ):
        await socket.until("CaughtUp")
        for stream in (one, two):
            await anext(stream)
        for number in range(20):
            await ann.appends(session, str(number))
        by_socket = [(await anext(socket))["message"]["text"] for _ in range(20)]
        for stream in (one, two):
            assert [data_of(await anext(stream))["message"]["text"] for _ in range(20)] == by_socket
    assert by_socket == [str(number) for number in range(20)]
