"""`colloquy.ai_sdk`: streams of AI SDK that are stored while a browser reads them, leaves, or comes back."""

import asyncio
import json
from pathlib import Path

import pytest
from colloquy import AsyncClient, errors
from colloquy.ai_sdk import HEADERS, load_ui_messages, persist

from clients.python.tests.conftest import QUICK_RETRIES
from clients.python.tests.streamed_parts import parts_of

RECORDED = json.loads((Path(__file__).parents[3] / "tests/documents/streams/ai_sdk_7.json").read_text())["streams"]
WHOLE = RECORDED[0]  # two steps with a thought, a call and a text
QUESTION = {"id": "q", "role": "user", "parts": [{"type": "text", "text": "How warm?"}]}


class Model:
    """Chunks that end when they may; `ended` is how: None while they go on."""

    def __init__(self, chunks=(), error=None):
        self.chunks, self.error = chunks, error
        self.may_end, self.ended = asyncio.Event(), None

    async def answer(self):
        self.ended = "cut off"
        try:
            for chunk in self.chunks:
                yield chunk
            await self.may_end.wait()
            if self.error:
                raise self.error
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "complete"


async def all_of(chunks):
    for chunk in chunks:
        yield chunk


def sse(chunk):
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"


def decoded(event):
    """The chunk of one server-sent event."""
    assert event.startswith("data: ")
    assert event.endswith("\n\n")
    return json.loads(event[6:])


async def received(answer):
    """All chunks that the browser gets."""
    *events, done = [event async for event in answer.stream]
    assert done == "data: [DONE]\n\n"
    return [decoded(event) for event in events]


def with_id(chunks, message_id):
    return [chunk | {"messageId": message_id} if chunk["type"] == "start" else chunk for chunk in chunks]


@pytest.mark.parametrize("form", [lambda chunk: chunk, sse], ids=["dicts", "server-sent events"])
@pytest.mark.parametrize("number", range(len(RECORDED)))
async def test_a_stream_is_stored_as_ai_sdk_makes_it_and_goes_to_the_browser(client, number, form):
    session = (await client.create_session()).session
    chunks, expected = RECORDED[number]["parts"], RECORDED[number]["message"]
    answer = await persist(client, session.id, all_of([form(chunk) for chunk in chunks]), pause=0)
    assert await received(answer) == with_id(chunks, answer.message_id)
    message = await answer.message()
    has_error = any(chunk["type"] == "error" for chunk in chunks)
    assert (message.status, message.id) == ("FAILED" if has_error else "COMPLETE", answer.message_id)
    has_start = any(chunk["type"] == "start" for chunk in chunks)
    stored = json.loads(message.raw)
    assert stored["parts"] == expected["parts"]
    assert stored.get("metadata") == expected.get("metadata")
    assert stored["id"] == (answer.message_id if has_start else expected["id"])
    assert await load_ui_messages(client, session.id) == [stored | {"id": answer.message_id}]


async def test_a_browser_that_leaves_at_any_chunk_loses_nothing_and_resumes(client, stranger):
    async def leave_after(count):
        session = (await client.create_session()).session
        model = Model(WHOLE["parts"])
        answer = await persist(client, session.id, model.answer(), pause=0)
        for chunk in with_id(WHOLE["parts"][:count], answer.message_id):
            assert decoded(await anext(answer.stream)) == chunk
        await answer.stream.aclose()
        assert await parts_of(client, session.id, len(WHOLE["parts"])) == with_id(WHOLE["parts"], answer.message_id)
        assert await load_ui_messages(stranger, session.id) == []
        model.may_end.set()
        message = await answer.message()
        assert (message.status, model.ended) == ("COMPLETE", "complete")
        assert await load_ui_messages(client, session.id) == [WHOLE["message"] | {"id": answer.message_id}]

    await asyncio.gather(*map(leave_after, range(len(WHOLE["parts"]) + 1)))


async def test_a_stop_of_another_client_cancels_a_silent_model_and_keeps_what_came(client, stranger):
    session = (await client.create_session()).session
    model = Model(WHOLE["parts"][:4])
    answer = await persist(client, session.id, model.answer(), pause=0, keep_alive=0.01)
    await parts_of(client, session.id, 4)
    with pytest.raises(errors.NotFound):
        await stranger.cancel_message(answer.message_id)
    await client.cancel_message(answer.message_id)
    assert (await received(answer))[4:] == [{"type": "abort"}]
    assert ((await answer.message()).status, model.ended) == ("CANCELLED", "cancelled")
    [message] = await load_ui_messages(client, session.id)
    assert message["parts"][-1]["text"] == "The for"


async def test_a_stop_ends_a_model_that_never_waits(client):
    session = (await client.create_session()).session
    ended = []

    async def model():
        try:
            while True:
                yield {"type": "data-tick", "data": 1}
                await asyncio.sleep(0)
        finally:
            ended.append(True)

    answer = await persist(client, session.id, model(), pause=0)
    await anext(answer.stream)
    await client.cancel_message(answer.message_id)
    assert ((await answer.message()).status, ended) == ("CANCELLED", [True])


async def test_a_new_producer_with_the_key_replaces_the_first_one(client):
    session = (await client.create_session()).session
    model = Model(WHOLE["parts"][:4])
    first = await persist(client, session.id, model.answer(), key="k", pause=0, keep_alive=0.01)
    await parts_of(client, session.id, 4)
    second = await persist(client, session.id, all_of(WHOLE["parts"]), key="k")
    with pytest.raises((errors.Fenced, errors.IllegalTransition)):
        await first.message()
    assert model.ended == "cancelled"
    assert (await received(first))[4:] == [{"type": "error", "errorText": "The answer has failed."}]
    assert (await second.message()).status == "COMPLETE"
    assert [message.status async for message in client.messages(session.id)] == ["FAILED", "COMPLETE"]
    with pytest.raises(errors.Conflict):
        await persist(client, session.id, all_of([]), key="k")


async def test_an_error_of_the_model_fails_the_answer_and_its_text_stays_on_the_server(client):
    session = (await client.create_session()).session
    model = Model(WHOLE["parts"][:4], ZeroDivisionError("secret"))
    model.may_end.set()
    answer = await persist(client, session.id, model.answer())
    assert (await received(answer))[4:] == [{"type": "error", "errorText": "The answer has failed."}]
    with pytest.raises(ZeroDivisionError):
        await answer.message()
    assert (await client.message(session.id, id=answer.message_id)).status == "FAILED"


async def test_a_chunk_ends_the_answer_with_an_error_or_an_abort(client):
    session = (await client.create_session()).session
    for last, status in (({"type": "error", "errorText": "No."}, "FAILED"), ({"type": "abort"}, "CANCELLED")):
        chunks = [*WHOLE["parts"][:4], last]
        answer = await persist(client, session.id, all_of(chunks))
        assert await received(answer) == with_id(chunks, answer.message_id)
        assert (await answer.message()).status == status


async def test_a_stranger_starts_no_answer_and_no_model(client, stranger):
    session = (await client.create_session()).session
    model = Model(WHOLE["parts"])
    with pytest.raises(errors.NotFound):
        await persist(stranger, session.id, model.answer())
    assert model.ended is None
    assert [message async for message in client.messages(session.id)] == []


async def test_lost_responses_and_connections_neither_lose_nor_repeat_chunks(ann, client, proxy):
    session = (await client.create_session()).session

    async def chunks():
        for number, chunk in enumerate(WHOLE["parts"]):
            proxy.lost_responses = number % 3 == 0
            yield chunk
            await asyncio.sleep(0.001)
            if number % 7 == 0:
                proxy.disconnect()

    async with AsyncClient(proxy.url, ann.token, attempts=50, **QUICK_RETRIES) as unreliable:
        answer = await persist(unreliable, session.id, chunks(), pause=0)
        assert (await answer.message()).status == "COMPLETE"
    assert await load_ui_messages(client, session.id) == [WHOLE["message"] | {"id": answer.message_id}]


async def test_a_caller_that_no_longer_waits_does_not_end_the_answer(client):
    session = (await client.create_session()).session
    model = Model(WHOLE["parts"])
    answer = await persist(client, session.id, model.answer())
    waiting = asyncio.create_task(answer.message())
    await parts_of(client, session.id, len(WHOLE["parts"]))
    waiting.cancel()
    await asyncio.wait({waiting})
    model.may_end.set()
    assert (await answer.message()).status == "COMPLETE"


async def test_events_may_have_comments_separators_inside_of_strings_and_many_lines(client):
    session = (await client.create_session()).session
    text = {"type": "text-delta", "id": "1", "delta": "a\u2028b\x85c\u0000"}
    events = [
        ": comment\n\n",
        sse({"type": "text-start", "id": "1"}) + sse(text),
        f"event: message\r\ndata:{json.dumps({'type': 'text-end', 'id': '1'})}\r\n\r\n",
        "data: [DONE]\n\n",
    ]
    answer = await persist(client, session.id, all_of(events))
    assert await received(answer) == [{"type": "text-start", "id": "1"}, text, {"type": "text-end", "id": "1"}]
    [message] = await load_ui_messages(client, session.id)
    assert message["parts"] == [{"type": "text", "text": text["delta"], "state": "done"}]


async def test_messages_of_other_programs_come_as_their_text(client, stranger):
    session = (await client.create_session()).session
    others = [
        {"id": "g", "role": "model", "parts": [{"text": "21 degrees."}]},
        {"role": "assistant", "parts": [{"type": "text", "text": "22 degrees."}]},
    ]
    await client.append_message(session.id, "USER", raw=json.dumps(QUESTION), key="q")
    for number, other in enumerate(others):
        await client.append_message(session.id, "ASSISTANT", raw=json.dumps(other), key=f"other-{number}")
    await client.append_message(session.id, "TOOL", "21")
    plain = await client.append_message(session.id, "SYSTEM", "Be brief.")
    answer = await persist(client, session.id, (model := Model(WHOLE["parts"])).answer())
    assert await load_ui_messages(client, session.id) == [
        QUESTION,
        {"id": "other-0", "role": "assistant", "parts": [{"type": "text", "text": "21 degrees."}]},
        {"id": "other-1", "role": "assistant", "parts": [{"type": "text", "text": "22 degrees."}]},
        {"id": plain.id, "role": "system", "parts": [{"type": "text", "text": "Be brief."}]},
    ]
    assert await load_ui_messages(stranger, session.id) == []
    model.may_end.set()
    await answer.message()


def test_the_headers_are_those_of_the_protocol():
    assert HEADERS["x-vercel-ai-ui-message-stream"] == "v1"
    assert HEADERS["content-type"] == "text/event-stream"
