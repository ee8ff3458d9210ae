"""A message is read while it is written: everybody who follows ends with the same text, whenever they came."""

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
    """What one reader shows of the messages: each by its id, told whole or grown exactly at its end."""

    def __init__(self):
        self.texts, self.kinds = {}, []

    def hears(self, event):
        self.kinds.append(event["__typename"])
        match event["__typename"]:
            case "MessageAdded" | "MessageChanged":
                self.texts[event["message"]["id"]] = event["message"]["text"]
            case "MessageDelta":
                assert event["offset"] == len(self.texts[event["messageId"]]), "no gap, nothing twice"
                self.texts[event["messageId"]] += event["text"]


async def starts(user, session, **fields):
    """The id of a new streaming message, and its fence."""
    payload = await user.does("startMessage", "message { id } fence", sessionId=session, **fields)
    assert payload["errors"] == []
    return payload["message"]["id"], payload["fence"]


async def extends(user, message, fence, pieces, offset=0):
    """The text's length after all the pieces."""
    for piece in pieces:
        payload = await user.does("extendMessage", id=message, fence=fence, offset=offset, text=piece)
        assert payload["errors"] == []
        offset += len(piece)
    return offset


async def hears_out(stream, copy, message, text):
    """Reads on until the message says this."""
    while copy.texts.get(message) != text:
        copy.hears(await anext(stream))


async def test_readers_see_a_message_grow_and_strangers_do_not(ann, bob):
    session = await ann.creates_session("Live", status="ACTIVE")
    copy = Copy()
    async with ann.follows(session) as live:
        await live.until("CaughtUp")
        message, fence = await starts(ann, session)
        for piece, so_far in [("Hello", "Hello"), (" 🌧️", "Hello 🌧️"), (" world", "Hello 🌧️ world")]:
            await extends(ann, message, fence, [piece], len(so_far) - len(piece))
            await hears_out(live, copy, message, so_far)
        assert copy.kinds[0] == "MessageAdded"  # with what was there when it was read
        assert copy.kinds[-2:] == ["MessageDelta", "MessageDelta"]
        await ann.does("finishMessage", id=message, fence=fence)
        copy.hears(await anext(live))
        assert (copy.kinds[-1], copy.texts[message]) == ("MessageChanged", "Hello 🌧️ world")
    with pytest.raises(Refusal, match="NOT_FOUND"):
        await bob.replays(session)


async def test_who_joins_in_the_middle_gets_the_message_so_far_and_deltas_from_there(ann):
    session = await ann.creates_session("Middle", status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    message, fence = await starts(ann, session)
    offset = await extends(ann, message, fence, ["one ", "two "])
    now = (await ann.sees(session, "eventCursor"))["eventCursor"]
    async with ann.follows(session) as new, ann.follows(session, start) as old, ann.follows(session, now) as back:
        for stream, kinds in [
            (new, ["MessageChanged", "CaughtUp"]),
            (old, ["MessageAdded", "CaughtUp"]),
            (back, ["MessageChanged", "CaughtUp"]),
        ]:
            copy = Copy()
            for event in await stream.until("CaughtUp"):
                copy.hears(event)
            assert (copy.kinds, copy.texts) == (kinds, {message: "one two "})
        await extends(ann, message, fence, ["three"], offset)
        for stream in (new, old, back):
            [delta] = await stream.until("MessageDelta")
            assert (delta["offset"], delta["text"]) == (offset, "three")
            assert delta["cursor"] == now


async def test_a_document_in_the_end_beats_what_was_streamed(ann):
    session = await ann.creates_session("Raw", status="ACTIVE")
    async with ann.follows(session) as live:
        await live.until("CaughtUp")
        message, fence = await starts(ann, session)
        await extends(ann, message, fence, ["a draft"])
        await ann.does("finishMessage", id=message, fence=fence, raw=ANSWER)
        assert (await live.until("MessageChanged"))[-1]["message"]["text"] == "the answer"


async def test_stop_keeps_what_was_written_and_is_told_to_all(ann):
    session = await ann.creates_session("Stop", status="ACTIVE")
    async with ann.follows(session) as one, ann.watches() as sidebar:
        await one.until("CaughtUp")
        message, fence = await starts(ann, session)
        await extends(ann, message, fence, ["half an "])
        await ann.does("cancelMessage", id=message)
        assert (await one.until("MessageChanged"))[-1]["message"]["text"] == "half an "
        assert (await sidebar.until("SessionChanged"))[-1]["session"]["id"] == session
        refused = await ann.does("extendMessage", id=message, fence=fence, offset=8, text="answer")
        assert [error["code"] for error in refused["errors"]] == ["ILLEGAL_TRANSITION"]


async def test_deltas_cross_from_one_server_to_another(database_url, ann):
    async with serving(settings_for(database_url)) as other:
        await other.ready()
        session = await ann.creates_session("Across", status="ACTIVE")
        copy = Copy()
        async with other.user(ann.name).follows(session) as live:
            await live.until("CaughtUp")
            message, fence = await starts(ann, session)
            await extends(ann, message, fence, ["over ", "there"])
            await hears_out(live, copy, message, "over there")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=PIECES, second=PIECES, ending=st.sampled_from(["COMPLETE", "FAILED", "CANCELLED"]), seed=st.integers())
async def test_after_the_end_everybodys_text_is_equal(ann, first, second, ending, seed):
    """Two messages grow side by side; readers come, are cut off, come back from their cursor, and stay."""
    session = await ann.creates_session("Equal", status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    done = {}

    async def writes(pieces):
        message, fence = await starts(ann, session)
        await extends(ann, message, fence, pieces)
        if ending == "CANCELLED":
            await ann.does("cancelMessage", id=message)
        else:
            await ann.does("finishMessage", id=message, fence=fence, status=ending)
        done[message] = "".join(pieces)

    async def reads(dice):
        copy, cursor = Copy(), start
        while "the end" not in copy.texts.values():
            async with ann.follows(session, cursor) as stream:
                async for event in stream:
                    copy.hears(event)
                    cursor = event["cursor"]
                    if dice.random() < 0.15 or "the end" in copy.texts.values():
                        break
        return {message: text for message, text in copy.texts.items() if text != "the end"}

    dice = random.Random(seed)
    readers = [asyncio.create_task(reads(random.Random(dice.random()))) for _ in range(4)]
    await asyncio.gather(writes(first), writes(second))
    await ann.appends(session, "the end")
    async with asyncio.timeout(20):
        assert await asyncio.gather(*readers) == [done] * 4
    page = await ann.sees(session, "messages { nodes { id text } }")
    assert {node["id"]: node["text"] for node in page["messages"]["nodes"][:2]} == done
