"""MessageDelta: all readers of a streaming message end with the same text, whenever they subscribed."""

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.users import Refusal

ANSWER = '{"role": "assistant", "content": [{"text": "the answer"}]}'
PIECES = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), max_size=12)


class Copy:
    """A client's copy of the messages by id: a delta must extend a text exactly at its end."""

    def __init__(self):
        self.texts, self.kinds = {}, []

    def apply(self, event):
        self.kinds.append(event["__typename"])
        match event["__typename"]:
            case "MessageAdded" | "MessageChanged":
                self.texts[event["message"]["id"]] = event["message"]["text"]
            case "MessageDelta":
                assert event["offset"] == len(self.texts[event["messageId"]]), "no gap, nothing twice"
                self.texts[event["messageId"]] += event["text"]


async def start_message(user, session, **fields):
    """The id and the fence of a new streaming message."""
    payload = await user.does("startMessage", "message { id } fence", sessionId=session, **fields)
    assert payload["errors"] == []
    return payload["message"]["id"], payload["fence"]


async def extend_message(user, message, fence, pieces, offset=0):
    """The length of the text after all pieces."""
    for piece in pieces:
        payload = await user.does("extendMessage", id=message, fence=fence, offset=offset, text=piece)
        assert payload["errors"] == []
        offset += len(piece)
    return offset


async def read_until_text(stream, copy, message, text):
    """Reads events until the message has this text."""
    while copy.texts.get(message) != text:
        copy.apply(await anext(stream))


async def test_subscribers_receive_deltas_and_other_users_do_not(ann, bob):
    session = await ann.creates_session("Live", status="ACTIVE")
    copy = Copy()
    async with ann.follows(session) as live:
        await live.until("CaughtUp")
        message, fence = await start_message(ann, session)
        for piece, so_far in [("Hello", "Hello"), (" 🌧️", "Hello 🌧️"), (" world", "Hello 🌧️ world")]:
            await extend_message(ann, message, fence, [piece], len(so_far) - len(piece))
            await read_until_text(live, copy, message, so_far)
        assert copy.kinds[0] == "MessageAdded"  # with the text so far
        assert copy.kinds[-2:] == ["MessageDelta", "MessageDelta"]
        await ann.does("finishMessage", id=message, fence=fence)
        copy.apply(await anext(live))
        assert (copy.kinds[-1], copy.texts[message]) == ("MessageChanged", "Hello 🌧️ world")
    with pytest.raises(Refusal, match="NOT_FOUND"):
        await bob.replays(session)


async def test_a_late_subscriber_receives_the_text_so_far_and_then_deltas(ann):
    session = await ann.creates_session("Middle", status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    message, fence = await start_message(ann, session)
    offset = await extend_message(ann, message, fence, ["one ", "two "])
    now = (await ann.sees(session, "eventCursor"))["eventCursor"]
    async with ann.follows(session) as new, ann.follows(session, start) as old, ann.follows(session, now) as back:
        for stream, kinds in [
            (new, ["MessageChanged", "CaughtUp"]),
            (old, ["MessageAdded", "CaughtUp"]),
            (back, ["MessageChanged", "CaughtUp"]),
        ]:
            copy = Copy()
            for event in await stream.until("CaughtUp"):
                copy.apply(event)
            assert (copy.kinds, copy.texts) == (kinds, {message: "one two "})
        await extend_message(ann, message, fence, ["three"], offset)
        for stream in (new, old, back):
            [delta] = await stream.until("MessageDelta")
            assert (delta["offset"], delta["text"]) == (offset, "three")
            assert delta["cursor"] == now


async def test_a_raw_document_at_the_end_replaces_the_streamed_text(ann):
    session = await ann.creates_session("Raw", status="ACTIVE")
    async with ann.follows(session) as live:
        await live.until("CaughtUp")
        message, fence = await start_message(ann, session)
        await live.until("MessageAdded")  # a subscriber that reads it later receives nothing but the end
        await extend_message(ann, message, fence, ["a draft"])
        await ann.does("finishMessage", id=message, fence=fence, raw=ANSWER)
        assert (await live.until("MessageChanged"))[-1]["message"]["text"] == "the answer"


async def test_cancelling_keeps_the_text_and_every_subscriber_receives_the_change(ann):
    session = await ann.creates_session("Stop", status="ACTIVE")
    async with ann.follows(session) as one, ann.watches() as sidebar:
        await one.until("CaughtUp")
        message, fence = await start_message(ann, session)
        await one.until("MessageAdded")
        await extend_message(ann, message, fence, ["half an "])
        await ann.does("cancelMessage", id=message)
        assert (await one.until("MessageChanged"))[-1]["message"]["text"] == "half an "
        assert (await sidebar.until("SessionChanged"))[-1]["session"]["id"] == session
        refused = await ann.does("extendMessage", id=message, fence=fence, offset=8, text="answer")
        assert [error["code"] for error in refused["errors"]] == ["ILLEGAL_TRANSITION"]


async def test_deltas_reach_subscribers_of_another_server(database_url, ann):
    async with serving(settings_for(database_url)) as other:
        await other.ready()
        session = await ann.creates_session("Across", status="ACTIVE")
        copy = Copy()
        async with other.user(ann.name).follows(session) as live:
            await live.until("CaughtUp")
            message, fence = await start_message(ann, session)
            await extend_message(ann, message, fence, ["over ", "there"])
            await read_until_text(live, copy, message, "over there")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=PIECES, second=PIECES, ending=st.sampled_from(["COMPLETE", "FAILED", "CANCELLED"]), seed=st.integers())
async def test_all_subscribers_end_with_the_same_text(ann, first, second, ending, seed):
    """Two messages grow at once; readers disconnect at random and resume from their cursor."""
    session = await ann.creates_session("Equal", status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    done = {}

    async def write(pieces):
        message, fence = await start_message(ann, session)
        await extend_message(ann, message, fence, pieces)
        if ending == "CANCELLED":
            await ann.does("cancelMessage", id=message)
        else:
            await ann.does("finishMessage", id=message, fence=fence, status=ending)
        done[message] = "".join(pieces)

    async def read(dice):
        copy, cursor = Copy(), start
        while "the end" not in copy.texts.values():
            async with ann.follows(session, cursor) as stream:
                async for event in stream:
                    copy.apply(event)
                    cursor = event["cursor"]
                    if dice.random() < 0.15 or "the end" in copy.texts.values():
                        break
        return {message: text for message, text in copy.texts.items() if text != "the end"}

    dice = random.Random(seed)
    readers = [asyncio.create_task(read(random.Random(dice.random()))) for _ in range(4)]
    await asyncio.gather(write(first), write(second))
    await ann.appends(session, "the end")
    async with asyncio.timeout(20):
        assert await asyncio.gather(*readers) == [done] * 4
    page = await ann.sees(session, "messages { nodes { id text } }")
    assert {node["id"]: node["text"] for node in page["messages"]["nodes"][:2]} == done
