"""Answers of the blocking client: streaming messages of text or parts, which a thread sends."""

import asyncio
import json
import threading
from contextvars import ContextVar

import pytest
from colloquy import Client, errors
from colloquy.results import TokenUsage

from clients.python.tests.conftest import QUICK_RETRIES
from clients.python.tests.streamed_parts import parts_of

WORDS = ["Grüße ", "aus ", "👋🏽", " ", "Lissabon", "."]
TEXT = "".join(WORDS)
CHUNKS = [
    {"type": "text-start", "id": "1"},
    *[{"type": "text-delta", "id": "1", "delta": word} for word in WORDS],
    {"type": "text-end", "id": "1"},
]


async def write_in_thread(client, session, write, **options):
    """The answer after `write(answer)` in its block, in another thread, and the exception that left the block."""
    answers = []

    def block():
        try:
            with client.answer(session.id, pause=0, **options) as answer:
                answers.append(answer)
                write(answer)
        except BaseException as error:
            return answers[0], error
        return answers[0], None

    return await asyncio.to_thread(block)


def write_forever(answer, piece):
    while True:
        answer.write(piece) if isinstance(piece, str) else answer.write_parts(piece)


async def test_an_answer_is_complete_after_its_block(client, stranger, sync_client):
    session = (await client.create_session()).session

    def write(answer):
        for word in WORDS:
            answer.write(word)
        with pytest.raises(errors.BadInput, match="text"):
            answer.write_parts({})
        answer.usage = TokenUsage(3, 4, 7)

    answer, error = await write_in_thread(sync_client, session, write, agent_key="guide")
    assert (error, answer.stopped) == (None, False)
    stored = await client.message(session.id, id=answer.message.id)
    assert (stored.status, stored.text, stored.usage, stored.agent.key) == (
        "COMPLETE",
        TEXT,
        TokenUsage(3, 4, 7),
        "guide",
    )
    with pytest.raises(errors.NotFound):
        await stranger.cancel_message(answer.message.id)


async def test_parts_reach_readers_while_they_are_written(client, stranger, sync_client):
    session = (await client.create_session()).session
    everything_was_read = threading.Event()

    def write(answer):
        for chunk in CHUNKS:
            answer.write_parts(chunk)
        with pytest.raises(errors.BadInput, match="parts"):
            answer.write("text")
        assert everything_was_read.wait(60)

    writing = asyncio.create_task(write_in_thread(sync_client, session, write, parts_format="AI_SDK"))
    assert await parts_of(client, session.id, len(CHUNKS)) == CHUNKS
    with pytest.raises(errors.NotFound):
        await anext(stranger.events(session.id))
    everything_was_read.set()
    answer, error = await writing
    assert (error, answer.message.status, answer.message.text) == (None, "COMPLETE", TEXT)
    assert json.loads(answer.message.raw)["parts"] == [{"type": "text", "text": TEXT, "state": "done"}]


async def test_a_cancellation_ends_the_block_and_keeps_the_parts(client, sync_client):
    session = (await client.create_session()).session

    def write(answer):
        answer.write_parts(*CHUNKS[:2])
        while not sync_client.message(session.id, id=answer.message.id).text:
            pass
        sync_client.cancel_message(answer.message.id)
        write_forever(answer, {"type": "data-tick", "data": 1})

    answer, error = await write_in_thread(sync_client, session, write, parts_format="AI_SDK")
    assert (error, answer.stopped, answer.message.status, answer.message.text) == (None, True, "CANCELLED", WORDS[0])


async def test_a_silent_producer_keeps_its_answer_alive_and_notices_a_cancellation(client, sync_client):
    session = (await client.create_session()).session

    def write(answer):
        sync_client.cancel_message(answer.message.id)
        write_forever(answer, "")

    answer, error = await write_in_thread(sync_client, session, write, keep_alive=0.01)
    assert (error, answer.stopped) == (None, True)


@pytest.mark.parametrize(("error", "status"), [(ZeroDivisionError(), "FAILED"), (KeyboardInterrupt(), "CANCELLED")])
async def test_an_exception_ends_the_answer_and_keeps_the_text(client, sync_client, error, status):
    session = (await client.create_session()).session

    def write(answer):
        answer.write("half")
        raise error

    answer, raised = await write_in_thread(sync_client, session, write)
    assert raised is error
    stored = await client.message(session.id, id=answer.message.id)
    assert (stored.status, stored.text) == (status, "half")


async def test_a_refused_text_fails_the_answer(client, sync_client):
    session = (await client.create_session()).session

    def write(answer):
        write_forever(answer, "a\0b")

    answer, raised = await write_in_thread(sync_client, session, write)
    assert isinstance(raised, errors.Invalid)
    assert (await client.message(session.id, id=answer.message.id)).status == "FAILED"


async def test_lost_responses_and_connections_neither_lose_nor_repeat_parts(ann, client, proxy):
    session = (await client.create_session()).session
    loop = asyncio.get_running_loop()
    written = [{"number": number} for number in range(40)]

    def write(answer):
        for number, part in enumerate(written):
            proxy.lost_responses = number % 3 == 0
            answer.write_parts(part)
            if number % 7 == 0:
                loop.call_soon_threadsafe(proxy.disconnect)

    with Client(proxy.url, ann.token, attempts=50, **QUICK_RETRIES) as unreliable:
        answer, error = await write_in_thread(unreliable, session, write, key="k", parts_format="OTHER")
    assert error is None
    assert json.loads(answer.message.raw) == written


async def test_a_second_producer_continues_and_the_first_one_is_fenced(client, sync_client):
    session = (await client.create_session()).session

    def take_over(first):
        first.write("Grüße ")
        while sync_client.message(session.id, id=first.message.id).text != "Grüße ":
            pass
        with sync_client.answer(session.id, key="k") as second:
            second.write(TEXT[len(second.existing_text) :])
            with pytest.raises(errors.Fenced):
                write_forever(first, "fenced")

    answer, error = await write_in_thread(sync_client, session, take_over, key="k")
    assert isinstance(error, errors.Fenced)
    stored = await client.message(session.id, id=answer.message.id)
    assert (stored.status, stored.text) == ("COMPLETE", TEXT)


async def test_a_token_that_depends_on_the_context_is_that_of_the_block(ann):
    token = ContextVar("token")

    def block():
        token.set(ann.token)
        with Client(ann.url, token.get) as client:
            session = client.create_session().session
            with client.answer(session.id) as answer:
                answer.write(TEXT)
        return answer.message.text

    assert await asyncio.to_thread(block) == TEXT


async def test_a_stranger_cannot_start_an_answer(client, bob):
    session = (await client.create_session()).session

    def start():
        with Client(bob.url, bob.token) as stranger, stranger.answer(session.id):
            pass

    with pytest.raises(errors.NotFound):
        await asyncio.to_thread(start)
