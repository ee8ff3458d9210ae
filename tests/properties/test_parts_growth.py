"""Streams of parts: a client that is cut at any part and resumes rebuilds exactly what the producer sent."""

import asyncio
import json
import random
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.streaming import ends_at, extends_parts, finishes, reads_parts, starts

PARTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # Lone surrogates are refused; everything else comes back, the NUL and a line break too.
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["\0", "a\nb", "\u2028", "\\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
EVENTS = """
subscription ($session: ID!, $after: String, $follow: Boolean!) {
  sessionEvents(sessionId: $session, after: $after, follow: $follow) {
    __typename
    ... on Event { cursor }
    ... on MessageAdded { message { id status parts raw } }
    ... on MessageChanged { message { id status parts raw } }
    ... on MessagePartsDelta { messageId offset parts }
    ... on MessageDelta { messageId offset text }
  }
}
"""


class Copy:
    """A client's copy of one message: a delta must extend its parts exactly at their end."""

    def __init__(self):
        self.parts, self.raw, self.status = None, None, None

    def apply(self, event):
        match event["__typename"]:
            case "MessageAdded" | "MessageChanged":
                message = event["message"]
                self.status, self.raw = message["status"], message["raw"]
                if self.status == "STREAMING":
                    self.parts = message["parts"]
            case "MessagePartsDelta":
                assert event["offset"] == len(self.parts), "no gap, nothing twice"
                self.parts += event["parts"]


async def follow_with_cuts(user, session, start, dice):
    """What a reader has at the end whose connection breaks after any event."""
    copy, cursor = Copy(), start
    while copy.status in (None, "STREAMING"):
        async with user.subscribes(EVENTS, session=session, after=cursor, follow=True) as stream:
            async for event in stream:
                copy.apply(event)
                cursor = event["cursor"]
                if copy.status not in (None, "STREAMING") or dice.random() < 0.3:
                    break
    return copy


async def produce_with_cuts(user, session, parts, dice):
    """A producer that loses its position at any part: it starts again, and sends on from the parts that are stored."""
    writing = await starts(user, session, key="k", stream="PARTS")
    offset = 0
    while offset < len(parts):
        size = dice.randint(1, 4)
        refused = await extends_parts(user, writing, offset, *parts[offset : offset + size])
        if refused is not None:  # some of these parts were stored already
            offset = refused["expectedOffset"]
            assert refused == ends_at(offset)
            continue
        match dice.randint(0, 3):
            case 0:
                writing = await starts(user, session, key="k", stream="PARTS")
                offset = len((await reads_parts(user, writing))[0])
            case 1:  # the answer was lost
                offset = dice.randint(0, offset)
            case _:
                offset = min(offset + size, len(parts))
        if offset and dice.random() < 0.2:
            assert (await reads_parts(user, writing, offset - 1))[0][:1] == parts[offset - 1 : offset]
    return writing


@settings(max_examples=settings().max_examples // 3)
@given(parts=st.lists(PARTS.filter(lambda part: part is not None), min_size=1, max_size=12), seed=st.integers())
async def test_a_client_that_is_cut_at_any_part_and_resumes_rebuilds_what_the_producer_sent(server, parts, seed):
    ann, dice = server.user(f"writer-{uuid4().hex[:12]}"), random.Random(seed)
    session = await ann.creates_session(status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        seeds = [dice.random() for _ in range(3)]
        readers = [tasks.create_task(follow_with_cuts(ann, session, start, random.Random(seed))) for seed in seeds]
        writing = await produce_with_cuts(ann, session, parts, dice)
        assert (await reads_parts(ann, writing))[0] == parts
        async with ann.subscribes(EVENTS, session=session, after=None, follow=False) as stream:
            late = Copy()
            async for event in stream:
                late.apply(event)
        assert late.parts == parts
        assert (await finishes(ann, writing))[0] == "COMPLETE"
    for copy in [reader.result() for reader in readers]:
        assert copy.status == "COMPLETE"
        assert json.loads(copy.raw) == parts
        assert copy.parts is None or copy.parts == parts[: len(copy.parts)]


BATCHES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=3), max_size=6)


@settings(max_examples=settings().max_examples // 3)
@given(batches=BATCHES, offset=st.integers(0, 12), again=st.lists(st.integers(0, 2), min_size=1, max_size=5))
async def test_parts_again_are_accepted_exactly_if_they_are_the_stored_ones(server, batches, offset, again):
    """Any piece at any offset, whatever the pieces were when they came."""
    ann = server.user(f"writer-{uuid4().hex[:12]}")
    writing, parts = await starts(ann, await ann.creates_session(), stream="PARTS"), []
    for batch in batches:
        assert await extends_parts(ann, writing, len(parts), *batch) is None
        parts += batch
    is_next, is_stored = offset == len(parts), parts[offset : offset + len(again)] == again
    answer = await extends_parts(ann, writing, offset, *again)
    assert answer == (None if is_next or is_stored else ends_at(len(parts)))
    assert (await reads_parts(ann, writing))[0] == (parts + again if is_next else parts)
