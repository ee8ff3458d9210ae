"""Live events over HTTP in parts: the same request with the cursor of the last event resumes."""

import asyncio

from tests.support.users import EVENTS


async def test_a_request_with_the_last_cursor_resumes_at_every_cut(ann):
    """One connection for each event, while messages are appended."""
    session = await ann.creates_session("Cut", status="ACTIVE")
    after = (await ann.sees(session, "eventCursor"))["eventCursor"]

    async def write():
        for number in range(20):
            await ann.appends(session, str(number))

    writing = asyncio.create_task(write())
    texts = []
    while len(texts) < 20:
        async with ann.follows_in_parts(session, after) as parts:
            async for part in parts:
                [event] = part["payload"]["data"].values()
                after = event["cursor"]
                if event["__typename"] == "MessageAdded":
                    texts.append(event["message"]["text"])
                    break
    await writing
    assert texts == [str(number) for number in range(20)]


async def test_another_user_gets_not_found(ann, bob):
    session = await ann.creates_session("Mine")
    async with bob.follows_in_parts(session) as parts:
        [part] = [part async for part in parts]
    assert [error["extensions"]["code"] for error in part["payload"]["errors"]] == ["NOT_FOUND"]
    assert parts.complete


async def test_parts_are_the_events_of_a_socket_until_the_session_is_erased(ann):
    session = await ann.creates_session("Shared", status="ACTIVE")
    async with ann.follows(session) as socket, ann.follows_in_parts(session) as parts:
        await socket.until("CaughtUp")
        await anext(parts)
        for number in range(5):
            await ann.appends(session, str(number))
        await ann.does("deleteSession", id=session, mode="HARD")
        by_socket = [event async for event in socket]
        in_parts = [part["payload"]["data"]["sessionEvents"] async for part in parts]
    assert in_parts == by_socket
    assert in_parts[-1]["__typename"] == "SessionRemoved"
    assert parts.complete


async def test_a_replay_is_complete_after_caught_up(ann):
    session = await ann.creates_session("Replayed")
    async with ann.subscribes_in_parts(EVENTS, session=session, after=None, follow=False) as parts:
        [part] = [part async for part in parts]
    assert part["payload"]["data"]["sessionEvents"]["__typename"] == "CaughtUp"
    assert parts.complete
