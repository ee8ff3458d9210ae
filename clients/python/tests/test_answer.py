"""Answers that are written while they are read, by the client, over ways that break."""

import asyncio

import pytest
from colloquy import AsyncClient, errors
from colloquy import answer as answering
from colloquy.results import TokenUsage

WORDS = ["Grüße ", "aus ", "👋🏽", " ", "Lissabon", "."]
WHOLE = "".join(WORDS)


async def text_of(client, answer):
    [found] = [one async for one in client.messages(session_of(answer)) if one.id == answer.message.id]
    return found.status, found.text


def session_of(answer):
    return "ses_" + answer.message.id.split("_")[1]


async def writes_for_ever(answer, text):
    while True:
        await answer.write(text)
        await asyncio.sleep(0)


async def test_an_answer_is_written_and_whole_at_its_end(client, stranger):
    session = (await client.create_session()).session
    async with client.answer(session.id, agent_key="guide", metadata={"model": "m"}, pause=0) as answer:
        assert (await client.session(session.id)).streaming
        for word in WORDS:
            await answer.write(word)
        answer.usage = TokenUsage(3, 4, 7)
    assert (answer.message.status, answer.message.text, answer.message.usage) == (
        "COMPLETE",
        WHOLE,
        TokenUsage(3, 4, 7),
    )
    assert (answer.message.agent.key, answer.message.metadata, answer.stopped) == ("guide", {"model": "m"}, False)
    assert await text_of(client, answer) == ("COMPLETE", WHOLE)
    assert not (await client.session(session.id)).streaming
    with pytest.raises(errors.NotFound):
        await stranger.cancel_message(answer.message.id)


async def test_a_document_beats_what_was_written(client):
    session = (await client.create_session()).session
    async with client.answer(session.id) as answer:
        await answer.write("rough")
        answer.raw = '{"role": "assistant", "content": "fair"}'
    assert (answer.message.text, answer.message.raw) == ("fair", answer.raw)


async def test_stop_ends_the_block_and_keeps_what_was_written(client):
    session = (await client.create_session()).session
    written = 0
    async with client.answer(session.id, pause=0) as answer:
        while True:
            await answer.write("word ")
            written += 1
            await asyncio.sleep(0)
            if written == 3:
                await client.cancel_message(answer.message.id)
    assert answer.stopped
    assert answer.message.status == "CANCELLED"
    assert ("word " * written).startswith(answer.message.text)


async def test_a_silent_producer_says_that_it_is_there_and_hears_of_stop(client, monkeypatch):
    monkeypatch.setattr(answering, "STILL_THERE_SECONDS", 0.01)
    session = (await client.create_session()).session
    async with client.answer(session.id) as answer:
        await client.cancel_message(answer.message.id)
        await writes_for_ever(answer, "")
    assert answer.stopped


async def test_a_stop_at_the_very_end_is_quiet_too(client):
    session = (await client.create_session()).session
    async with client.answer(session.id) as answer:
        await client.cancel_message(answer.message.id)
    assert (answer.stopped, answer.message.status) == (True, "CANCELLED")


async def test_an_answer_that_goes_wrong_has_failed_with_what_there_is(client):
    session = (await client.create_session()).session
    answers = []

    async def goes_wrong(first, then):
        async with client.answer(session.id, pause=0) as answer:
            answers.append(answer)
            await answer.write(first)
            await then(answer)

    async def divides(_answer):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await goes_wrong("half", divides)
    assert await text_of(client, answers[0]) == ("FAILED", "half")
    with pytest.raises(errors.Invalid):
        await goes_wrong("", lambda answer: writes_for_ever(answer, "a\0b"))
    assert await text_of(client, answers[1]) == ("FAILED", "")


async def test_a_cancelled_task_stops_its_answer(client):
    session = (await client.create_session()).session
    begun = asyncio.Event()
    answers = []

    async def produce():
        async with client.answer(session.id) as answer:
            answers.append(answer)
            await answer.write("as far as this")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(produce())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await text_of(client, answers[0]) == ("CANCELLED", "as far as this")


async def test_lost_answers_and_cut_connections_lose_and_double_nothing(ann, way):
    async with AsyncClient(way.url, ann.token, attempts=50) as broken:
        session = (await broken.create_session()).session
        async with broken.answer(session.id, key="k", pause=0) as answer:
            for number, word in enumerate(WORDS * 5):
                way.lose = number % 3 == 0
                await answer.write(word)
                await asyncio.sleep(0.001)
                if number % 7 == 0:
                    way.cut()
            way.lose = 1
        assert (answer.message.status, answer.message.text) == ("COMPLETE", WHOLE * 5)


async def test_a_producer_that_comes_back_goes_on_after_what_is_there(client):
    session = (await client.create_session()).session

    async def is_late(begun, taken_over):
        async with client.answer(session.id, key="k", pause=0) as slow:
            await slow.write("Grüße ")
            await asyncio.sleep(0)
            begun.set()
            await taken_over.wait()
            await writes_for_ever(slow, "nowhere")

    begun, taken_over = asyncio.Event(), asyncio.Event()
    late = asyncio.create_task(is_late(begun, taken_over))
    await begun.wait()
    async with client.answer(session.id, key="k") as quick:
        taken_over.set()
        with pytest.raises(errors.Fenced):
            await late
        await quick.write(WHOLE[len(quick.already) :])
    assert await text_of(client, quick) == ("COMPLETE", WHOLE)
    with pytest.raises(errors.Conflict):
        await client.start_message(session.id, key="k")


async def test_a_stranger_cannot_begin_an_answer(client, stranger):
    session = (await client.create_session()).session
    with pytest.raises(errors.NotFound):
        await stranger.answer(session.id).__aenter__()


async def test_the_steps_can_be_taken_one_by_one(blocking):
    def takes_them():
        session = blocking.create_session().session
        started = blocking.start_message(session.id, "TOOL")
        blocking.extend_message(started.message.id, started.fence, 0, "done")
        with pytest.raises(errors.OffsetMismatch) as refused:
            blocking.extend_message(started.message.id, started.fence, 9, "hole")
        assert refused.value.expected_offset == 4
        ended = blocking.finish_message(started.message.id, started.fence, "FAILED")
        assert blocking.finish_message(started.message.id, started.fence, "FAILED") == ended
        return ended.role, ended.status, ended.text

    assert await asyncio.to_thread(takes_them) == ("TOOL", "FAILED", "done")
