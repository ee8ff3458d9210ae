"""Answers: streaming messages that a program writes, also over connections that break."""

import asyncio
import json

import pytest
from colloquy import AsyncClient, errors
from colloquy.results import TokenUsage

from clients.python.tests.conftest import QUICK_RETRIES
from clients.python.tests.streamed_parts import parts_of

WORDS = ["Grüße ", "aus ", "👋🏽", " ", "Lissabon", "."]
TEXT = "".join(WORDS)


async def stored(client, session, answer):
    """The status and the text of the answer's message, read from the server."""
    message = await client.message(session.id, id=answer.message.id)
    return message.status, message.text


async def write_forever(answer, text):
    while True:
        await answer.write(text)
        await asyncio.sleep(0)


async def test_an_answer_is_complete_after_its_block(client, stranger):
    session = (await client.create_session()).session
    async with client.answer(session.id, agent_key="guide", metadata={"model": "m"}, pause=0) as answer:
        assert (await client.session(session.id)).streaming
        for word in WORDS:
            await answer.write(word)
        answer.usage = TokenUsage(3, 4, 7)
    assert (answer.message.status, answer.message.text, answer.message.usage) == (
        "COMPLETE",
        TEXT,
        TokenUsage(3, 4, 7),
    )
    assert (answer.message.agent.key, answer.message.metadata, answer.stopped) == ("guide", {"model": "m"}, False)
    assert await stored(client, session, answer) == ("COMPLETE", TEXT)
    assert not (await client.session(session.id)).streaming
    with pytest.raises(errors.NotFound):
        await stranger.cancel_message(answer.message.id)


async def test_a_raw_document_replaces_the_written_text(client):
    session = (await client.create_session()).session
    async with client.answer(session.id) as answer:
        await answer.write("rough")
        answer.raw = '{"role": "assistant", "content": "fair"}'
    assert (answer.message.text, answer.message.raw) == ("fair", answer.raw)


async def test_a_cancellation_ends_the_block_and_keeps_the_text(client):
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


async def test_a_silent_producer_sends_keep_alives_and_notices_a_cancellation(client):
    session = (await client.create_session()).session
    async with client.answer(session.id, keep_alive=0.01) as answer:
        await client.cancel_message(answer.message.id)
        await write_forever(answer, "")
    assert answer.stopped


async def test_a_stop_cancels_a_producer_that_waits_for_a_silent_model(client):
    session = (await client.create_session()).session
    ended = []

    async def produce():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with client.answer(session.id, keep_alive=0.01) as answer:
        await client.cancel_message(answer.message.id)
        await answer.run(produce())
    assert (answer.stopped, ended) == (True, [True])


async def test_a_producer_that_is_run_returns_and_raises_as_itself(client):
    session = (await client.create_session()).session
    answers = []

    async def produce(text, error):
        await answers[-1].write(text)
        if error:
            raise error
        return text

    async def run_block(*arguments):
        async with client.answer(session.id) as answer:
            answers.append(answer)
            return await answer.run(produce(*arguments))

    assert await run_block(TEXT, None) == TEXT
    assert await stored(client, session, answers[-1]) == ("COMPLETE", TEXT)
    with pytest.raises(ZeroDivisionError):
        await run_block("half", ZeroDivisionError())
    assert await stored(client, session, answers[-1]) == ("FAILED", "half")
    task = asyncio.create_task(run_block("half", asyncio.CancelledError()))
    await asyncio.wait({task})
    assert task.cancelled()
    assert await stored(client, session, answers[-1]) == ("CANCELLED", "half")


async def test_a_cancellation_before_the_end_of_the_block_raises_nothing(client):
    session = (await client.create_session()).session
    async with client.answer(session.id) as answer:
        await client.cancel_message(answer.message.id)
    assert (answer.stopped, answer.message.status) == (True, "CANCELLED")


async def test_an_exception_fails_the_answer_and_keeps_the_text(client):
    session = (await client.create_session()).session
    answers = []

    async def run_block(first, then):
        async with client.answer(session.id, pause=0) as answer:
            answers.append(answer)
            await answer.write(first)
            await then(answer)

    async def raise_error(_answer):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_block("half", raise_error)
    assert await stored(client, session, answers[0]) == ("FAILED", "half")
    with pytest.raises(errors.Invalid):
        await run_block("", lambda answer: write_forever(answer, "a\0b"))
    assert await stored(client, session, answers[1]) == ("FAILED", "")


async def test_a_cancelled_task_cancels_its_answer(client):
    session = (await client.create_session()).session
    started = asyncio.Event()
    answers = []

    async def produce():
        async with client.answer(session.id) as answer:
            answers.append(answer)
            await answer.write("as far as this")
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(produce())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await stored(client, session, answers[0]) == ("CANCELLED", "as far as this")


async def test_lost_responses_and_connections_neither_lose_nor_repeat_text(ann, proxy):
    async with AsyncClient(proxy.url, ann.token, attempts=50, **QUICK_RETRIES) as client:
        session = (await client.create_session()).session
        async with client.answer(session.id, key="k", pause=0) as answer:
            for number, word in enumerate(WORDS * 5):
                proxy.lost_responses = number % 3 == 0
                await answer.write(word)
                await asyncio.sleep(0.001)
                if number % 7 == 0:
                    proxy.disconnect()
            proxy.lost_responses = 1
        assert (answer.message.status, answer.message.text) == ("COMPLETE", TEXT * 5)


async def test_a_second_producer_continues_after_the_existing_text(client):
    session = (await client.create_session()).session

    async def produce_first(started, taken_over):
        async with client.answer(session.id, key="k", pause=0) as first:
            await first.write("Grüße ")
            await asyncio.sleep(0)
            started.set()
            await taken_over.wait()
            await write_forever(first, "fenced")

    started, taken_over = asyncio.Event(), asyncio.Event()
    first_task = asyncio.create_task(produce_first(started, taken_over))
    await started.wait()
    async with client.answer(session.id, key="k") as second:
        taken_over.set()
        with pytest.raises(errors.Fenced):
            await first_task
        await second.write(TEXT[len(second.existing_text) :])
    assert await stored(client, session, second) == ("COMPLETE", TEXT)
    with pytest.raises(errors.Conflict):
        await client.start_message(session.id, key="k")


CHUNKS = [
    {"type": "text-start", "id": "1"},
    *[{"type": "text-delta", "id": "1", "delta": word} for word in WORDS],
    {"type": "text-end", "id": "1"},
    {"type": "data-place", "data": ["Lissabon", None, 1.5]},
]


async def test_an_answer_in_parts_reaches_readers_part_by_part(client, stranger):
    session = (await client.create_session()).session
    async with client.answer(session.id, parts_format="AI_SDK", pause=0) as answer:
        for chunk in CHUNKS:
            await answer.write_parts(chunk)
        assert await parts_of(client, session.id, len(CHUNKS)) == CHUNKS
        with pytest.raises(errors.NotFound):
            await anext(stranger.events(session.id))
        with pytest.raises(errors.BadInput, match="parts"):
            await answer.write("text")
    assert (answer.message.status, answer.message.text) == ("COMPLETE", TEXT)
    assert json.loads(answer.message.raw)["parts"] == [
        {"type": "text", "text": TEXT, "state": "done"},
        {"type": "data-place", "data": ["Lissabon", None, 1.5]},
    ]


async def test_text_takes_no_parts(client):
    session = (await client.create_session()).session
    async with client.answer(session.id) as answer:
        with pytest.raises(errors.BadInput, match="text"):
            await answer.write_parts({"type": "text-start"})
        assert answer.existing_parts == ()


async def test_lost_responses_and_connections_neither_lose_nor_repeat_parts(ann, proxy):
    async with AsyncClient(proxy.url, ann.token, attempts=50, **QUICK_RETRIES) as client:
        session = (await client.create_session()).session
        async with client.answer(session.id, key="k", parts_format="OTHER", pause=0) as answer:
            for number in range(30):
                proxy.lost_responses = number % 3 == 0
                await answer.write_parts(number, {"word": WORDS[number % 6]})
                await asyncio.sleep(0.001)
                if number % 7 == 0:
                    proxy.disconnect()
            proxy.lost_responses = 1
        written = [part for number in range(30) for part in (number, {"word": WORDS[number % 6]})]
        assert json.loads(answer.message.raw) == written


async def test_a_second_producer_continues_after_the_existing_parts(client):
    session = (await client.create_session()).session
    started = await client.start_message(session.id, key="k", parts_format="OTHER")
    await client.extend_message(started.message.id, started.fence, 0, parts=[1, 2])
    async with client.answer(session.id, key="k", parts_format="OTHER", keep_alive=0.01) as second:
        assert second.existing_parts == (1, 2)
        await asyncio.sleep(0.05)
        await second.write_parts(3)
    assert json.loads(second.message.raw) == [1, 2, 3]


async def test_a_cancellation_keeps_the_parts(client):
    session = (await client.create_session()).session
    async with client.answer(session.id, parts_format="AI_SDK", pause=0) as answer:
        await answer.write_parts(*CHUNKS[:2])
        while True:
            await answer.write_parts({"type": "data-tick", "data": 1, "transient": True})
            await asyncio.sleep(0)
            if (await client.message(session.id, id=answer.message.id)).text:
                await client.cancel_message(answer.message.id)
    assert (answer.stopped, answer.message.status, answer.message.text) == (True, "CANCELLED", WORDS[0])


async def test_a_stranger_cannot_start_an_answer(client, stranger):
    session = (await client.create_session()).session
    with pytest.raises(errors.NotFound):
        await stranger.answer(session.id).__aenter__()


async def test_the_operations_of_a_streaming_message_work_one_by_one(sync_client):
    def write_message():
        session = sync_client.create_session().session
        started = sync_client.start_message(session.id, "TOOL")
        sync_client.extend_message(started.message.id, started.fence, 0, "done")
        with pytest.raises(errors.OffsetMismatch) as mismatch:
            sync_client.extend_message(started.message.id, started.fence, 9, "hole")
        assert mismatch.value.expected_offset == 4
        ended = sync_client.finish_message(started.message.id, started.fence, "FAILED")
        assert sync_client.finish_message(started.message.id, started.fence, "FAILED") == ended
        return ended.role, ended.status, ended.text

    assert await asyncio.to_thread(write_message) == ("TOOL", "FAILED", "done")


async def test_the_blocking_client_writes_parts(sync_client):
    def write_message():
        session = sync_client.create_session().session
        started = sync_client.start_message(session.id, parts_format="AG_UI")
        part = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "1", "delta": "done"}
        sync_client.extend_message(started.message.id, started.fence, 0, parts=[part])
        with pytest.raises(errors.OffsetMismatch) as mismatch:
            sync_client.extend_message(started.message.id, started.fence, 9, parts=[part])
        assert mismatch.value.expected_offset == 1
        ended = sync_client.finish_message(started.message.id, started.fence)
        return started.message.parts, ended.text

    assert await asyncio.to_thread(write_message) == ((), "done")
