"""The messages of a thread are a session: titled, listed, searched, and erased with the thread's records."""

import asyncio
from typing import Annotated, TypedDict

import pytest
from colloquy import errors
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.graph import START, StateGraph, add_messages
from own_stores import saver

CONFIG = {"configurable": {"thread_id": "holiday"}}
SEARCH = "query($text: String!) { searchMessages(query: $text) { nodes { text } } }"
CALL = {"name": "weather", "args": {"city": "Ulm"}, "id": "call-1", "type": "tool_call"}


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def answer(state: State) -> dict:
    return {
        "messages": [
            AIMessage(
                "Let me see.",
                tool_calls=[CALL],
                usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
            ),
            ToolMessage("sunny", tool_call_id="call-1"),
            AIMessage(f"Answer {len(state['messages'])}"),
        ]
    }


def graph(checkpointer):
    return StateGraph(State).add_node("answer", answer).add_edge(START, "answer").compile(checkpointer)


def ask(text: str) -> dict:
    return {"messages": [HumanMessage(text)]}


def texts(own) -> list[tuple[str, str]]:
    session = own.client.session(key="holiday")
    return [(each.role, each.text) for each in own.client.messages(session.id)]


def test_a_thread_is_a_session_with_a_title_and_its_messages(own_saver, owner):
    graph(own_saver).invoke(ask("Where is it warm in May?"), CONFIG)
    session = own_saver.client.session(key="holiday")
    assert (session.title, session.status, session.message_count) == ("Where is it warm in May?", "ACTIVE", 4)
    assert [role for role, _ in texts(own_saver)] == ["USER", "ASSISTANT", "TOOL", "ASSISTANT"]
    assert [text for role, text in texts(own_saver) if role != "TOOL"] == [
        "Where is it warm in May?",
        "Let me see.",
        "Answer 1",
    ]
    usages = [each.usage for each in own_saver.client.messages(session.id)]
    assert (usages[1].input_tokens, usages[1].output_tokens) == (3, 4)
    found = own_saver.client.execute(SEARCH, {"text": "warm"})["searchMessages"]["nodes"]
    assert [each["text"] for each in found] == ["Where is it warm in May?"]
    with saver() as stranger:
        assert stranger.client.session(key="holiday") is None
        assert stranger.client.execute(SEARCH, {"text": "warm"})["searchMessages"]["nodes"] == []


def test_a_message_is_appended_once_also_by_another_process(own_saver, owner):
    graph(own_saver).invoke(ask("one"), CONFIG)
    graph(own_saver).invoke(ask("two"), CONFIG)
    with saver(owner) as other_process:
        graph(other_process).invoke(ask("three"), CONFIG)
        assert [text for role, text in texts(other_process) if role == "USER"] == ["one", "two", "three"]
        assert len(texts(other_process)) == 12


def test_a_changed_message_stays_in_the_session_as_it_was(own_saver, owner):
    graph(own_saver).invoke({"messages": [HumanMessage("first", id="m")]}, CONFIG)
    with saver(owner) as other_process:
        graph(other_process).update_state(
            CONFIG, {"messages": [HumanMessage("changed", id="m"), HumanMessage("new", id="n")]}
        )
        assert [text for role, text in texts(other_process) if role == "USER"] == ["first", "new"]


def test_an_erased_session_takes_the_checkpoints_with_it(own_saver):
    graph(own_saver).invoke(ask("one"), CONFIG)
    client = own_saver.client
    client.delete_session(client.session(key="holiday").id, "HARD")
    assert list(client.records(("langgraph",))) == []
    graph(own_saver).invoke(ask("again"), CONFIG)
    assert [text for role, text in texts(own_saver) if role == "USER"] == ["again"]


def test_a_deleted_thread_takes_its_session_with_it(own_saver):
    graph(own_saver).invoke(ask("one"), CONFIG)
    own_saver.delete_thread("holiday")
    assert own_saver.client.session(key="holiday") is None
    assert own_saver.get_tuple(CONFIG) is None


def test_a_session_of_another_program_is_continued_and_stays(own_saver):
    client = own_saver.client
    client.create_session(key="holiday", title="Mine")
    graph(own_saver).invoke(ask("one"), CONFIG)
    own_saver.delete_thread("holiday")
    session = client.session(key="holiday")
    assert (session.title, session.message_count) == ("Mine", 4)
    client.delete_session(session.id)  # SOFT: the owner has hidden it
    with pytest.raises(errors.ColloquyError):
        graph(own_saver).invoke(ask("two"), CONFIG)


def test_nothing_is_mirrored_without_a_channel(owner):
    with saver(owner, messages=None) as own:
        graph(own).invoke(ask("one"), CONFIG)
        assert own.client.session(key="holiday") is None
        assert own.get_tuple(CONFIG)


def test_asynchronous_runs_are_mirrored(owner):
    async def run() -> None:
        async with saver(owner) as own:
            await graph(own).ainvoke(ask("one"), CONFIG)
            await graph(own).ainvoke(ask("two"), CONFIG)
            assert len(texts(own)) == 8

    asyncio.run(run())
