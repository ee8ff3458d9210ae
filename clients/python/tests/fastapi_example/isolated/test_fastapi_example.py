"""examples/fastapi: chats of AI SDK that an agent of pydantic-ai answers, with browsers that come and go."""

import asyncio
import json
import re
from importlib import metadata

import pytest
from colloquy.ai_sdk import load_ui_messages
from example_servers import EXAMPLE, FILES, INSTALL, ROOT, example_server

ANSWER = [
    {"type": "step-start"},
    {"type": "reasoning", "text": "The timetable of Lisbon has it.", "state": "done"},
    {
        "type": "tool-timetable",
        "toolCallId": "trains",
        "state": "output-available",
        "input": {"city": "Lisbon"},
        "output": ["09:00", "10:00"],
    },
    {"type": "step-start"},
    {"type": "text", "text": "Trains leave at nine and at ten.", "state": "done"},
]


@pytest.fixture(scope="module")
async def example():
    """The example as it stands."""
    async with example_server(EXAMPLE) as server:
        yield server


@pytest.fixture(scope="module")
async def troubled():
    """The example with a model that becomes silent or fails."""
    async with example_server(EXAMPLE, "troubled_app") as server:
        yield server


def shown(raw):
    """What a page shows of an answer: its parts without random ids and signatures."""
    hidden = {"id", "callProviderMetadata", "providerMetadata"}
    return [{name: value for name, value in part.items() if name not in hidden} for part in json.loads(raw)["parts"]]


def test_the_files_of_the_page_are_those_of_the_example_and_its_packages_are_here():
    assert {path.name: path.read_text() for path in EXAMPLE.glob("*.py")} == FILES
    packages = [re.sub(r"\[.*\]", "", word.strip("'")) for word in INSTALL.removeprefix("pip install ").split()]
    assert len(packages) == 4
    for package in set(packages) - {"colloquy-client"}:  # which lies on PYTHONPATH
        metadata.version(package)


async def test_questions_are_answered_with_what_the_session_has(example):
    async with example.user() as ann:
        session = await ann.asks("When does the train leave?")
        chunks = await ann.reads(session)
        message = await ann.last(session)
        assert (message.status, shown(message.raw)) == ("COMPLETE", ANSWER)
        assert chunks[0] == {"type": "start", "messageId": message.id}
        assert chunks[-1]["type"] == "finish"
        await ann.reads(await ann.asks("And tomorrow?", session))
        messages = await load_ui_messages(ann.client, session)
        assert [each["role"] for each in messages] == ["user", "assistant"] * 2
        assert messages[-1]["parts"][-1]["text"] == ANSWER[-1]["text"]


async def test_ai_sdk_reads_the_message_that_is_stored(example):
    async with example.user() as ann:
        session = (await ann.client.create_session()).session.id
        program = ROOT / "clients/typescript/ai-sdk/tests/read-answer.mjs"
        node = await asyncio.create_subprocess_exec(
            *("node", program, example.api, session, ann.token), stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await node.communicate()
        question, answer = await load_ui_messages(ann.client, session)
        assert json.loads(printed) == {"question": question, "answer": answer}
        assert shown(json.dumps(answer)) == ANSWER


async def test_a_browser_that_leaves_at_any_chunk_loses_nothing(example):
    async with example.user() as ann:

        async def leave_after(count):
            session = await ann.asks("When does the train leave?")
            assert len(await ann.reads(session, count)) == count
            message = await ann.last(session)
            assert (message.status, shown(message.raw)) == ("COMPLETE", ANSWER)

        whole = await ann.reads(await ann.asks("When does the train leave?"))
        await asyncio.gather(*map(leave_after, range(len(whole))))


async def test_a_stop_on_another_device_cancels_the_run_and_the_chat_goes_on(troubled):
    async with troubled.user() as ann, troubled.user() as bob:
        session = await ann.asks("When does the train leave?")
        reading = asyncio.create_task(ann.reads(session))
        async for event in ann.client.events(session):
            written = getattr(event, "message", event)  # a message that is being written, or its new parts
            if any(part["type"] == "tool-input-delta" for part in getattr(written, "parts", None) or ()):
                break
        assert await bob.client.session(session) is None
        [answer] = (await ann.client.message_page(session, last=1)).nodes
        await ann.client.cancel_message(answer.id)
        assert (await reading)[-1] == {"type": "abort"}
        async with asyncio.timeout(60):
            while b"has been cancelled" not in await troubled.process.stdout.readline():
                assert troubled.process.returncode is None
        assert (await ann.last(session)).status == "CANCELLED"
        assert [part["type"] for part in shown((await ann.last(session)).raw)][-1] == "tool-timetable"
        await ann.reads(await ann.asks("Fail", session))
        assert (await ann.last(session)).status == "FAILED"


async def test_an_error_of_the_model_ends_the_answer(troubled):
    async with troubled.user() as ann:
        session = await ann.asks("Fail")
        assert {"type": "error", "errorText": "The model has failed."} in await ann.reads(session)
        message = await ann.last(session)
        assert (message.status, message.text.strip()) == ("FAILED", "Trains")


async def test_a_stranger_gets_no_answer_into_the_session(example):
    async with example.user() as ann, example.user() as bob:
        session = await ann.asks("When does the train leave?")
        question = {"id": "q", "role": "user", "parts": [{"type": "text", "text": "Mine?"}]}
        for body in {"id": session}, {"id": session, "messages": [question]}:
            async with bob.posts(body) as response:
                assert response.status_code == 404
        for headers, status in ({}, 422), ({"authorization": "Bearer wrong"}, 401):
            async with ann.posts({"id": session}, headers) as response:
                assert response.status_code == status
        assert len(await load_ui_messages(ann.client, session)) == 1
