"""What pydantic-ai documents of its conversation stores; strangers, races, lost processes, the sidebar."""

import asyncio

import pytest
from colloquy import Client
from conversation_stores import URL, new_owner, store, token
from pydantic_ai import Agent, DeferredToolRequests, ToolDenied
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import (
    ConversationConflict,
    ConversationEntry,
    ConversationRecord,
    ConversationStore,
    InMemoryConversationStore,
)
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import BinaryContent, ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RunUsage


def user(text: str) -> ModelMessage:
    return ModelRequest(parts=[UserPromptPart(content=text)])


def answer(text: str) -> ModelMessage:
    return ModelResponse(parts=[TextPart(content=text)])


def texts(messages: list[ModelMessage]) -> list[str]:
    return [message.parts[0].content for message in messages]


def said(*words: str) -> list[ModelMessage]:
    return [user(word) if number % 2 == 0 else answer(word) for number, word in enumerate(words)]


async def saved(own: ConversationStore, name: str, *words: str, **options) -> Conversation:
    conversation = Conversation(conversation_id=name, messages=said(*words))
    await own.save(conversation, **options)
    return conversation


@pytest.fixture(params=["memory", "colloquy"])
async def any_store(request, owner):
    """The store of pydantic-ai in memory, which documents the behaviour, passes too."""
    if request.param == "memory":
        yield InMemoryConversationStore()
    else:
        async with store(owner) as own:
            yield own


async def test_a_conversation_is_its_owners(owner):
    async with store(owner) as own, store(new_owner()) as stranger:
        [entry, *_] = await own.save(Conversation(conversation_id="trip", messages=said("Hello\0", "Hi")))
        assert await stranger.load("trip") is None
        assert await stranger.list_conversations() == []
        await stranger.delete("trip")
        with pytest.raises(LookupError):
            await stranger.read_entry(entry.id)
        with pytest.raises(LookupError):
            await stranger.read_history(entry.id)
        with pytest.raises(UserError):
            await stranger.fork("trip")
        await saved(stranger, "trip", "mine")
        assert texts((await own.load("trip")).messages) == ["Hello\0", "Hi"]
        assert texts((await stranger.load("trip")).messages) == ["mine"]


async def test_runs_are_saved_and_the_sidebar_shows_them(owner):
    agent = Agent(TestModel(custom_output_text="At nine.", call_tools=["trains"]))

    @agent.tool_plain
    def trains() -> str:
        return "nine"

    async with store(owner) as own:
        conversation = Conversation(conversation_id="trip")
        first = await agent.run("When does the train leave?", conversation=conversation)
        await own.save(first)
        loaded = await own.load("trip")
        assert loaded.messages == first.all_messages()
        assert loaded.usage == first.conversation.usage
        second = await agent.run("And back?", conversation=loaded)
        assert len(await own.save(second)) == len(second.new_messages())
        assert (await own.load("trip")).messages == second.all_messages()
    with Client(URL, token(owner)) as client:
        [found] = list(client.sessions())
        assert (found.title, found.key) == ("When does the train leave?", "trip")
        messages = list(client.messages(found.id))
        assert [message.role for message in messages][:4] == ["USER", "ASSISTANT", "TOOL", "ASSISTANT"]
        assert len(messages) == len(second.all_messages())
        assert messages[3].text == "At nine."


async def test_messages_come_back_as_they_were(any_store):
    sent = [
        ModelRequest(
            parts=[UserPromptPart(content=["look", BinaryContent(data=b"\0\xff", media_type="application/pdf")])],
            metadata={"a": [1, None]},
        ),
        answer("At nine."),
    ]
    usage = RunUsage(requests=2, input_tokens=3, tool_calls=1)
    await any_store.save(Conversation(conversation_id="trip", messages=sent, usage=usage))
    found = await any_store.load("trip")
    assert (found.messages, found.usage) == (sent, usage)


async def test_a_paused_run_goes_on(any_store):
    agent = Agent(TestModel(), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def book(seat: int) -> str:
        return f"booked {seat}"

    result = await agent.run("Book", conversation=Conversation(conversation_id="trip"))
    await any_store.save(result)
    found = await any_store.load("trip")
    assert found.deferred_tool_requests == result.output
    [call] = found.deferred_tool_requests.approvals
    answers = found.deferred_tool_requests.build_results(approvals={call.tool_call_id: ToolDenied("no")})
    again = await agent.run(conversation=found, deferred_tool_results=answers)
    await any_store.save(again)
    assert (await any_store.load("trip")).deferred_tool_requests is None


async def test_a_window_of_the_history_is_loaded(any_store):
    await saved(any_store, "trip", *"abcdefg")
    assert texts((await any_store.load("trip", limit=3)).messages) == list("efg")
    assert (await any_store.load("trip", limit=0)).messages == []
    part = await any_store.load("trip", limit=2)
    part.messages.append(answer("h"))
    await any_store.save(part)
    assert texts((await any_store.load("trip")).messages) == list("abcdefgh")
    with pytest.raises(UserError):
        await any_store.load("trip", limit=-1)


async def test_a_save_after_another_is_a_conflict(any_store):
    await saved(any_store, "trip", "a")
    one, two = await any_store.load("trip"), await any_store.load("trip")
    one.messages.append(answer("b"))
    two.messages.append(answer("c"))
    await any_store.save(one)
    with pytest.raises(ConversationConflict):
        await any_store.save(two)
    with pytest.raises(ConversationConflict):
        await saved(any_store, "trip", "new")
    assert texts((await any_store.load("trip")).messages) == ["a", "b"]


async def test_a_rewritten_history_becomes_a_branch(any_store):
    await saved(any_store, "trip", *"abc")
    kept = (await any_store.load("trip")).revision
    branched = await any_store.branch("trip", at=1, expected_revision=kept)
    branched.messages.append(answer("x"))
    await any_store.save(branched)
    assert texts((await any_store.load("trip")).messages) == ["a", "x"]
    [record] = await any_store.list_conversations()
    [left] = record.branches
    back = await any_store.branch("trip", from_entry=left, expected_revision=branched.revision)
    assert texts(back.messages) == list("abc")
    rewritten = Conversation(conversation_id="trip", messages=said("a", "z"), revision=back.revision)
    await any_store.save(rewritten)
    assert texts((await any_store.load("trip")).messages) == ["a", "z"]


async def test_a_fork_lives_on_without_its_origin(any_store):
    await saved(any_store, "trip", *"abc")
    fork = await any_store.fork("trip", at=2, new_conversation_id="fork")
    fork.messages.append(user("x"))
    await any_store.save(fork)
    deeper = await any_store.fork("fork", new_conversation_id="deeper")
    assert texts(deeper.messages) == ["a", "b", "x"]
    with pytest.raises(ConversationConflict):
        await any_store.fork("trip", new_conversation_id="fork")
    await any_store.delete("trip")
    assert await any_store.load("trip") is None
    assert texts((await any_store.load("fork")).messages) == ["a", "b", "x"]
    await any_store.delete("fork")
    assert texts((await any_store.load("deeper")).messages) == ["a", "b", "x"]
    [record] = await any_store.list_conversations()
    assert (record.conversation_id, record.forked_from) == ("deeper", "fork")


async def test_a_head_that_nobody_stored_is_a_conflict(any_store):
    record = ConversationRecord(conversation_id="trip", head_id="absent")
    with pytest.raises(ConversationConflict):
        await any_store.write_record(record, expected_revision=None)
    assert await any_store.read_record("trip") is None
    with pytest.raises(LookupError):
        await any_store.read_entry("absent")


async def test_conversations_are_listed_by_scope(any_store):
    for number in range(3):
        await saved(any_store, f"ann{number}", "a", scope="ann")
    await saved(any_store, "bob", "a", scope="bob")
    changed = await any_store.load("ann0", scope="ann")
    await any_store.save(changed)
    assert [each.conversation_id for each in await any_store.list_conversations()] == ["ann0", "bob", "ann2", "ann1"]
    listed = await any_store.list_conversations(scope="ann", limit=2)
    assert [each.conversation_id for each in listed] == ["ann0", "ann2"]
    assert await any_store.load("ann0", scope="bob") is None
    await any_store.delete("ann0", scope="bob")
    with pytest.raises(ConversationConflict):
        await any_store.save(changed, scope="bob")
    assert await any_store.load("ann0") is not None


async def test_a_deleted_conversation_is_gone_and_can_be_created_again(owner):
    async with store(owner) as own:
        conversation = await saved(own, "trip", "a", "b")
        await own.delete("trip")
        await own.delete("trip")
        with pytest.raises(ConversationConflict):
            await own.save(conversation)
        with pytest.raises(ConversationConflict):
            await own.delete_record("trip", expected_revision=conversation.revision)
        with Client(URL, token(owner)) as client:
            assert list(client.sessions()) == []
            assert list(client.records(("pydantic-ai",))) == []
        await saved(own, "trip", "again")
        assert texts((await own.load("trip")).messages) == ["again"]


async def test_a_conversation_of_a_process_that_ended_while_it_deleted_is_gone(owner):
    async with store(owner) as own:
        await saved(own, "trip", "a")
        with Client(URL, token(owner)) as client:
            head = client.record(("pydantic-ai", "conversations"), "trip")
            kept = {"namespace": head.namespace, "key": head.key, "sessionId": head.session.id}
            client.put_records([{**kept, "value": "deleted"}])
        assert await own.load("trip") is None
        await saved(own, "trip", "new")
        assert texts((await own.load("trip")).messages) == ["new"]
        with Client(URL, token(owner)) as client:
            assert [found.message_count for found in client.sessions()] == [1]


async def test_a_later_save_mirrors_what_a_process_that_ended_did_not(owner):
    async with store(owner) as own:
        conversation = await saved(own, "trip", "a", "b")
        with Client(URL, token(owner)) as client:
            found = client.session(key="trip").id
            [_, last] = client.messages(found)
            client.delete_message(last.id)
            conversation.messages.append(user("c"))
            await own.save(conversation)
            assert [message.text for message in client.messages(found)] == ["a", "b", "c"]


async def test_a_save_whose_messages_cannot_be_appended_is_a_save(owner, caplog):
    """The entry as a record has at most 1 MiB, the message with the spaces of its JSON has more."""
    async with store(owner) as own:
        sent = ModelRequest(parts=[UserPromptPart("a")], metadata={"numbers": [1] * 450_000})
        conversation = Conversation(conversation_id="trip", messages=[sent])
        await own.save(conversation)
        assert "conversation 'trip' were not appended" in caplog.text
        assert (await own.load("trip")).messages == [sent]
        conversation.messages.append(answer("b"))
        await own.save(conversation)
        assert len((await own.load("trip")).messages) == 2


async def test_a_message_is_as_long_in_the_session_as_its_entry(owner):
    async with store(owner) as own:
        words = ["\u00e9" * 500_000] * 9
        await saved(own, "trip", *words)
        with Client(URL, token(owner)) as client:
            assert [message.text for message in client.messages(client.session(key="trip").id)] == words


async def test_of_saves_at_the_same_time_one_is_stored(owner):
    stores = [store(owner) for _ in range(4)]
    results = await asyncio.gather(
        *(saved(own, "trip", str(number)) for number, own in enumerate(stores)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Conversation", *["ConversationConflict"] * 3]
    [first] = [result for result in results if isinstance(result, Conversation)]
    copies = [await own.load("trip") for own in stores]
    for number, copy in enumerate(copies):
        copy.messages.append(answer(f"answer {number}"))
    results = await asyncio.gather(
        *(own.save(copy) for own, copy in zip(stores, copies, strict=True)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == [*["ConversationConflict"] * 3, "list"]
    assert len((await stores[0].load("trip")).messages) == len(first.messages) + 1
    with Client(URL, token(owner)) as client:
        assert [found.message_count for found in client.sessions()] == [2]
    for own in stores:
        await own.aclose()
        own.close()


async def test_histories_reach_beyond_one_request(owner):
    async with store(owner) as own:
        words = [str(number) for number in range(130)]
        await saved(own, "trip", *words)
        assert texts((await own.load("trip")).messages) == words
        assert texts((await own.load("trip", limit=60)).messages) == words[70:]
        await own.fork("trip", at=120, new_conversation_id="fork")
        assert texts((await own.load("fork")).messages) == words[:120]
        with Client(URL, token(owner)) as client:
            assert sorted(found.message_count for found in client.sessions()) == [120, 130]


async def test_large_messages_are_stored_in_several_requests(owner):
    async with store(owner) as own:
        words = [f"{number}" * 900_000 for number in range(7)]
        await saved(own, "trip", *words)
        assert texts((await own.load("trip")).messages) == words


@pytest.mark.parametrize("name", ["", "a/b", "100%", "\0\n", "x" * 300])
async def test_every_id_has_a_conversation_of_its_own(owner, name):
    async with store(owner) as own:
        for each in (name, name + "-"):
            await saved(own, each, each)
            found = await own.load(each)
            assert (found.conversation_id, texts(found.messages)) == (each, [each])
        head = ConversationEntry(id=name, parent_id=None, message=user("x"))
        record = ConversationRecord(conversation_id="other", head_id=name)
        await own.write_record(record, new_entries=[head], expected_revision=None)
        assert await own.read_entry(name) == head


async def test_a_failure_is_the_frameworks_error(owner):
    async with store(owner) as own:
        with pytest.raises(AgentRunError, match="VALIDATION"):
            await saved(own, "trip", "x" * 2_000_000)
        assert await own.load("trip") is None
        conversation = await saved(own, "trip", "a")
        with Client(URL, token(owner)) as client:
            found = client.session(key="trip").id
            client.delete_session(found, "SOFT")
            with pytest.raises(AgentRunError, match="NOT_FOUND"):
                await own.save(conversation)
            client.restore_session(found)
        await own.save(conversation)
    async with store(owner, "http://127.0.0.1:9", attempts=1) as unreachable:
        with pytest.raises(AgentRunError, match="UNREACHABLE"):
            await unreachable.load("trip")


def test_a_store_serves_several_event_loops(owner):
    own = store(owner)

    async def count(number: int) -> int:
        await saved(own, str(number), "a")
        found = await own.list_conversations()
        await own.aclose()
        return len(found)

    assert [asyncio.run(count(number)) for number in range(3)] == [1, 2, 3]
    own.close()
