"""Concurrent producers, cancellations and readers of a stream of parts: one wins, and all read the same."""

import asyncio
import json

from tests.support.streaming import (
    FENCED,
    cancels,
    ended,
    ends_at,
    extends_parts,
    finishes,
    reads_parts,
    starts,
)

MANY = 16


async def test_of_many_producers_that_restart_exactly_one_adds_parts(ann):
    session = await ann.creates_session()
    producers = await asyncio.gather(*(starts(ann, session, key="k", stream="PARTS") for _ in range(MANY)))
    answers = await asyncio.gather(*(extends_parts(ann, each, 0, n, n) for n, each in enumerate(producers)))
    assert sorted(map(str, answers)) == sorted([str(FENCED)] * (MANY - 1) + ["None"])
    winner = answers.index(None)
    assert (await reads_parts(ann, producers[winner]))[0] == [winner, winner]


async def test_of_different_parts_at_one_offset_exactly_one_is_stored(ann):
    writing = await starts(ann, await ann.creates_session(), stream="PARTS")
    answers = await asyncio.gather(*(extends_parts(ann, writing, 0, n) for n in range(MANY)))
    assert sorted(map(str, answers)) == sorted([str(ends_at(1))] * (MANY - 1) + ["None"])
    assert (await reads_parts(ann, writing))[0] == [answers.index(None)]


async def test_the_same_parts_sent_concurrently_are_stored_once(ann):
    writing = await starts(ann, await ann.creates_session(), stream="PARTS")
    answers = await asyncio.gather(*(extends_parts(ann, writing, 0, {"a": 1}, "once") for _ in range(MANY)))
    assert answers == [None] * MANY
    assert (await reads_parts(ann, writing))[0] == [{"a": 1}, "once"]


async def test_concurrent_extend_finish_and_cancel_agree_on_one_end(ann):
    """The check after every race would find a stream without its message, and a chunk without its stream."""
    for number in range(16):
        writing = await starts(ann, await ann.creates_session(), stream="PARTS")
        assert await extends_parts(ann, writing, 0, "so", "far") is None
        requests = [finishes(ann, writing), cancels(ann, writing), extends_parts(ann, writing, 2, "!")]
        index = number % len(requests)
        answers = await asyncio.gather(*requests[index:], *requests[:index])
        extended = answers[(2 - index) % len(requests)]
        query = "query ($id: ID!) { node(id: $id) { ... on Message { status text raw parts } } }"
        node = (await ann.asks(query, id=writing.message))["node"]
        parts = ["so", "far", *(["!"] if extended is None else [])]
        assert (node["text"], json.loads(node["raw"]), node["parts"]) == ("\n".join(parts), parts, None)
        assert extended in (None, ended(node["status"]))
        assert {answer for answer in answers if isinstance(answer, tuple)} == {(node["status"], node["text"])}


async def test_text_and_parts_of_one_session_grow_beside_appends(ann):
    session = await ann.creates_session()
    writings = [await starts(ann, session, stream="PARTS") for _ in range(3)]
    before = (await ann.sees(session, "eventCursor"))["eventCursor"]

    async def produce(writing):
        for n in range(20):
            assert await extends_parts(ann, writing, n, n) is None

    await asyncio.gather(*map(produce, writings), *(ann.appends(session, f"{n}") for n in range(10)))
    after = (await ann.sees(session, "eventCursor"))["eventCursor"]
    assert int(after.split(".")[2]) == int(before.split(".")[2]) + 11  # 10 appends, and the title
    assert [(await reads_parts(ann, writing))[0] for writing in writings] == [list(range(20))] * 3
