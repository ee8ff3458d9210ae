"""Producers, readers and Stop at the same time: one of them decides, and all see the same."""

import asyncio
from collections import Counter

from tests.support.streaming import FENCED, cancels, ended, ends_at, extends, finishes, reads, starts, writes

MANY = 16


async def test_of_many_producers_that_come_back_one_goes_on(ann):
    session = await ann.creates_session()
    producers = await asyncio.gather(*(starts(ann, session, key="k") for _ in range(MANY)))
    assert {producer.message for producer in producers} == {producers[0].message}
    answers = await asyncio.gather(*(extends(ann, producer, 0, f"{n:02}") for n, producer in enumerate(producers)))
    assert sorted(map(str, answers)) == sorted([str(FENCED)] * (MANY - 1) + ["None"])
    winner = answers.index(None)
    assert await finishes(ann, producers[winner]) == ("COMPLETE", f"{winner:02}")


async def test_of_different_texts_at_one_offset_one_is_written(ann):
    writing = await starts(ann, await ann.creates_session())
    texts = [f"{n:02}" for n in range(MANY)]
    answers = await asyncio.gather(*(extends(ann, writing, 0, text) for text in texts))
    assert sorted(map(str, answers)) == sorted([str(ends_at(2))] * (MANY - 1) + ["None"])
    assert await reads(ann, writing) == ("STREAMING", texts[answers.index(None)])


async def test_the_same_text_sent_by_many_is_written_once(ann):
    writing = await starts(ann, await ann.creates_session())
    assert await asyncio.gather(*(extends(ann, writing, 0, "once") for _ in range(MANY))) == [None] * MANY
    assert await reads(ann, writing) == ("STREAMING", "once")


async def test_extend_finish_stop_and_delete_at_once_agree_on_one_end(ann):
    """The rules that run after every race find a stream without its message, and a chunk without its stream."""
    ends = Counter()
    for number in range(16):
        writing = await starts(ann, await ann.creates_session())
        await writes(ann, writing, "so far")
        acts = [
            finishes(ann, writing),
            cancels(ann, writing),
            extends(ann, writing, 6, "!"),
            ann.does("deleteMessage", "deletedId", id=writing.message) if number % 4 == 0 else cancels(ann, writing),
        ]
        place = number % len(acts)
        answers = await asyncio.gather(*acts[place:], *acts[:place])
        extended = answers[(2 - place) % len(acts)]
        found = await reads(ann, writing)
        ends[found and found[0]] += 1
        if found is None:
            assert extended in (None, ended("CANCELLED"), ended("COMPLETE"), {"code": "NOT_FOUND"})
            continue
        status, text = found
        assert (extended, text) in ((None, "so far!"), (ended(status), "so far"))
        assert {answer for answer in answers if isinstance(answer, tuple)} == {(status, text)}
    assert ends.keys() - {None} <= {"COMPLETE", "CANCELLED"}


async def test_streams_run_beside_appends_and_take_no_number_of_theirs(ann):
    session = await ann.creates_session()
    writings = [await starts(ann, session) for _ in range(4)]
    before = (await ann.sees(session, "eventCursor"))["eventCursor"]

    async def produces(writing):
        await writes(ann, writing, *(f"{n} " for n in range(20)))

    appends = [ann.appends(session, f"{n}") for n in range(20)]
    answers = await asyncio.gather(*appends, *map(produces, writings))
    assert sorted(answer["sequence"] for answer in answers[:20]) == list(range(5, 25))
    after = (await ann.sees(session, "eventCursor"))["eventCursor"]
    assert int(after.split(".")[2]) == int(before.split(".")[2]) + 21  # and the title's
    whole = "".join(f"{n} " for n in range(20))
    assert [await finishes(ann, writing) for writing in writings] == [("COMPLETE", whole)] * 4


async def test_a_session_deleted_under_its_streams_leaves_nothing_running(ann):
    for mode in ("SOFT", "HARD") * 6:
        session = await ann.creates_session()
        writing = await starts(ann, session)
        acts = [ann.does("deleteSession", "deletedId", id=session, mode=mode)]
        acts += [extends(ann, writing, 0, "x"), starts_or_not(ann, session), finishes(ann, writing)]
        _, extended, _, _ = await asyncio.gather(*acts)
        assert extended in (None, {"code": "NOT_FOUND"}, ended("COMPLETE"), ended("CANCELLED"))
        assert (await extends(ann, writing, 0, "x")) == {"code": "NOT_FOUND"}


async def starts_or_not(user, session):
    payload = await user.does("startMessage", "message { id }", sessionId=session)
    assert [error["code"] for error in payload["errors"]] in ([], ["NOT_FOUND"])
