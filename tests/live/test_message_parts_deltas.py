"""MessagePartsDelta: readers of a stream of parts get all parts so far, and then each new part once."""

import pytest

from harness.server_settings import settings_for
from tests.documents.test_parts import RECORDED
from tests.properties.test_parts_growth import EVENTS, Copy
from tests.support.servers import serving
from tests.support.streaming import cancels, extends_parts, finishes, starts, writes
from tests.support.users import Refusal

AI_SDK = {"stream": "PARTS", "partsFormat": "AI_SDK"}
RECORDED_STREAM = RECORDED["ai_sdk_7"]["streams"][0]


def subscribes(user, session, after=None, follow=True):
    return user.subscribes(EVENTS, session=session, after=after, follow=follow)


async def test_subscribers_receive_parts_and_other_users_do_not(ann, bob):
    session = await ann.creates_session("Live", status="ACTIVE")
    async with subscribes(ann, session) as live:
        await live.until("CaughtUp")
        writing = await starts(ann, session, **AI_SDK)
        copy = Copy()
        copy.apply((await live.until("MessageAdded"))[-1])
        await extends_parts(ann, writing, 0, {"a": 1}, {"b": 2})
        while copy.parts != [{"a": 1}, {"b": 2}]:
            copy.apply(await anext(live))
        await extends_parts(ann, writing, 2, "c")
        delta = await anext(live)
        assert (delta["__typename"], delta["offset"], delta["parts"]) == ("MessagePartsDelta", 2, ["c"])
        assert delta["messageId"] == writing.message
        assert await finishes(ann, writing) == ("COMPLETE", "")
        assert (await live.until("MessageChanged"))[-1]["message"]["status"] == "COMPLETE"
    with pytest.raises(Refusal, match="NOT_FOUND"):
        async with subscribes(bob, session) as his:
            await anext(his)


async def test_a_late_subscriber_receives_all_parts_so_far_and_then_deltas(ann):
    session = await ann.creates_session("Middle", status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    writing, text = await starts(ann, session, **AI_SDK), await starts(ann, session)
    await extends_parts(ann, writing, 0, 1, 2)
    await extends_parts(ann, writing, 2, 3)
    await writes(ann, text, "beside it")
    now = (await ann.sees(session, "eventCursor"))["eventCursor"]
    async with (
        subscribes(ann, session) as new,
        subscribes(ann, session, start) as old,
        subscribes(ann, session, now) as back,
    ):
        for stream in (new, old, back):
            messages = [event["message"] for event in await stream.until("CaughtUp") if "message" in event]
            assert {message["id"]: message["parts"] for message in messages} == {
                writing.message: [1, 2, 3],
                text.message: None,
            }
        await extends_parts(ann, writing, 3, 4)
        for stream in (new, old, back):
            [delta] = await stream.until("MessagePartsDelta")
            assert (delta["offset"], delta["parts"], delta["cursor"]) == (3, [4], now)


async def test_coalesced_parts_arrive_in_one_delta(ann):
    session = await ann.creates_session("Burst", status="ACTIVE")
    writing = await starts(ann, session, **AI_SDK)
    async with subscribes(ann, session) as live:
        copy = Copy()
        for event in await live.until("CaughtUp"):
            copy.apply(event)
        for n in range(0, 40, 2):
            await extends_parts(ann, writing, n, n, n + 1)
        deltas = 0
        while len(copy.parts) < 40:
            copy.apply(await anext(live))
            deltas += 1
        assert copy.parts == list(range(40))
        assert deltas <= 20


async def test_stop_reaches_every_subscriber(ann):
    session = await ann.creates_session("Stop", status="ACTIVE")
    async with subscribes(ann, session) as live:
        await live.until("CaughtUp")
        writing = await starts(ann, session, **AI_SDK)
        await extends_parts(ann, writing, 0, {"type": "text-start", "id": "1"})
        await cancels(ann, writing)
        assert (await live.until("MessageChanged"))[-1]["message"]["status"] == "CANCELLED"


async def test_a_reader_that_is_cut_at_every_part_has_the_whole_stream(ann):
    session = await ann.creates_session("Cut", status="ACTIVE")
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    writing, copy = await starts(ann, session, **AI_SDK), Copy()
    for offset, part in enumerate(RECORDED_STREAM["parts"]):
        assert await extends_parts(ann, writing, offset, part) is None
        async with subscribes(ann, session, cursor) as stream:
            event = await anext(stream)
        copy.apply(event)
        cursor = event["cursor"]
        assert copy.parts == RECORDED_STREAM["parts"][: offset + 1]


async def test_parts_reach_subscribers_of_another_server(database_url, ann):
    async with serving(settings_for(database_url)) as other:
        await other.ready()
        session = await ann.creates_session("Across", status="ACTIVE")
        async with subscribes(other.user(ann.name), session) as live:
            await live.until("CaughtUp")
            writing, copy = await starts(ann, session, **AI_SDK), Copy()
            await extends_parts(ann, writing, 0, "over")
            await extends_parts(ann, writing, 1, "there")
            while copy.parts != ["over", "there"]:
                copy.apply(await anext(live))
