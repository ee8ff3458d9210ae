"""Concurrent producers, cancellations and deletions of a streaming message: one wins, and all read the same."""

import asyncio
from collections import Counter

from tests.support.streaming import FENCED, cancels, ended, ends_at, extends, finishes, reads, starts, writes

MANY = 16


async def test_of_many_producers_that_restart_exactly_one_continues(ann):
    session = await ann.creates_session()
    producers = await asyncio.gather(*(starts(ann, session, key="k") for _ in range(MANY)))
    assert {producer.message for producer in producers} == {producers[0].message}
    answers = await asyncio.gather(*(extends(ann, producer, 0, f"{n:02}") for n, producer in enumerate(producers)))
    assert sorted(map(str, answers)) == sorted([str(FENCED)] * (MANY - 1) + ["None"])
    winner = answers.index(None)
    assert await finishes(ann, producers[winner]) == ("COMPLETE", f"{winner:02}")


async def test_of_different_texts_at_one_offset_exactly_one_is_stored(ann):
    writing = await starts(ann, await ann.creates_session())
    texts = [f"{n:02}" for n in range(MANY)]
    answers = await asyncio.gather(*(extends(ann, writing, 0, text) for text in texts))
    assert sorted(map(str, answers)) == sorted([str(ends_at(2))] * (MANY - 1) + ["None"])
    assert await reads(ann, writing) == ("STREAMING", texts[answers.index(None)])


async def test_the_same_text_sent_concurrently_is_stored_once(ann):
    writing = await starts(ann, await ann.creates_session())
    assert await asyncio.gather(*(extends(ann, writing, 0, "once") for _ in range(MANY))) == [None] * MANY
    assert await reads(ann, writing) == ("STREAMING", "once")


async def test_concurrent_extend_finish_cancel_and_delete_agree_on_one_end(ann):
    """The check after every race would find a stream without its message, and a chunk without its stream."""
    ends = Counter()
    for number in range(16):
        writing = await starts(ann, await ann.creates_session())
        await writes(ann, writing, "so far")
        requests = [
            finishes(ann, writing),
            cancels(ann, writing),
            extends(ann, writing, 6, "!"),
            ann.does("deleteMessage", "deletedId", id=writing.message) if number % 4 == 0 else cancels(ann, writing),
        ]
        index = number % len(requests)
        answers = await asyncio.gather(*requests[index:], *requests[:index])
        extended = answers[(2 - index) % len(requests)]
        found = await reads(ann, writing)
        ends[found and found[0]] += 1
        if found is None:
            assert extended in (None, ended("CANCELLED"), ended("COMPLETE"), {"code": "NOT_FOUND"})
            continue
        status, text = found
        assert (extended, text) in ((None, "so far!"), (ended(status), "so far"))
        assert {answer for answer in answers if isinstance(answer, tuple)} == {(status, text)}
    assert ends.keys() - {None} <= {"COMPLETE", "CANCELLED"}


async def test_extends_take_no_sequence_or_revision_from_concurrent_appends(ann):
    session = await ann.creates_session()
    writings = [await starts(ann, session) for _ in range(4)]
    before = (await ann.sees(session, "eventCursor"))["eventCursor"]

    async def produce(writing):
        await writes(ann, writing, *(f"{n} " for n in range(20)))

    appends = [ann.appends(session, f"{n}") for n in range(20)]
    answers = await asyncio.gather(*appends, *map(produce, writings))
    assert sorted(answer["sequence"] for answer in answers[:20]) == list(range(5, 25))
    after = (await ann.sees(session, "eventCursor"))["eventCursor"]
    assert int(after.split(".")[2]) == int(before.split(".")[2]) + 21  # 20 appends, and the title
    whole = "".join(f"{n} " for n in range(20))
    assert [await finishes(ann, writing) for writing in writings] == [("COMPLETE", whole)] * 4


async def test_deleting_a_session_ends_its_streaming_messages(ann):
    for mode in ("SOFT", "HARD") * 6:
        session = await ann.creates_session()
        writing = await starts(ann, session)
        requests = [ann.does("deleteSession", "deletedId", id=session, mode=mode)]
        requests += [extends(ann, writing, 0, "x"), try_to_start(ann, session), finishes(ann, writing)]
        _, extended, _, _ = await asyncio.gather(*requests)
        assert extended in (None, {"code": "NOT_FOUND"}, ended("COMPLETE"), ended("CANCELLED"))
        assert (await extends(ann, writing, 0, "x")) == {"code": "NOT_FOUND"}


async def try_to_start(user, session):
    payload = await user.does("startMessage", "message { id }", sessionId=session)
    assert [error["code"] for error in payload["errors"]] in ([], ["NOT_FOUND"])
