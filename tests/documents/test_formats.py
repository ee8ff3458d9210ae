"""Documents of every format, as its own packages write them: appended, read, found, and shown in a list of sessions."""

import json

import pytest

from tests.documents.samples_of_formats import SAMPLES, STORY

SHOWN = """sequence text usage { inputTokens outputTokens }
content {
  __typename
  ... on ReasoningBlock { text }
  ... on ToolUseBlock { toolUseId name input }
  ... on ToolResultBlock { toolUseId isError content }
  ... on SourceBlock { url title fileName }
}"""
WITHOUT_USAGE = {"ag_ui", "ai_sdk_model", "openai_conversations", "strands"}
"""Samples of documents that have no usage of their own."""
WITHOUT_SOURCES = WITHOUT_USAGE - {"openai_conversations"} | {
    "adk_dumps",
    "adk_events",
    "anthropic",
    "langchain_js_constructor",
    "langchain_js_stored",
}


async def appends_story(user, name):
    """A session with the messages of a sample, as the server returns them."""
    session = await user.creates_session()
    messages = [{"role": each["role"], "raw": json.dumps(each["document"])} for each in SAMPLES[name]["messages"]]
    payload = await user.does("appendMessages", f"messages {{ {SHOWN} }}", sessionId=session, messages=messages)
    assert payload["errors"] == []
    return session, payload["messages"]


def of_type(messages, typename):
    return [block for message in messages for block in message["content"] if block["__typename"] == typename]


@pytest.mark.parametrize("name", SAMPLES)
async def test_story_has_text_thought_call_and_usage(ann, name):
    _, messages = await appends_story(ann, name)
    assert (messages[0]["text"], messages[-1]["text"]) == (STORY["question"], STORY["answer"])
    assert [block["text"] for block in of_type(messages, "ReasoningBlock")] == [STORY["thought"]]
    (call,), (result,) = of_type(messages, "ToolUseBlock"), of_type(messages, "ToolResultBlock")
    assert (call["name"], call["input"]) == (STORY["call"]["name"], STORY["call"]["input"])
    assert result["toolUseId"] == call["toolUseId"]
    assert not result["isError"]
    assert "21" in json.dumps(result["content"])
    usage = {"inputTokens": STORY["usage"]["input"], "outputTokens": STORY["usage"]["output"]}
    assert messages[-1]["usage"] == (None if name in WITHOUT_USAGE else usage)
    assert messages[0]["usage"] is None
    sources = [{**STORY["source"], "fileName": None, "__typename": "SourceBlock"}]
    assert of_type(messages[-1:], "SourceBlock") == ([] if name in WITHOUT_SOURCES else sources)
    assert of_type(messages, "OtherBlock") == []


@pytest.mark.parametrize("name", SAMPLES)
async def test_story_has_a_title_a_preview_and_is_found_by_its_owner_only(ann, bob, name):
    session, messages = await appends_story(ann, name)
    seen = await ann.sees(session, "title lastMessage { text }")
    assert seen == {"title": STORY["question"], "lastMessage": {"text": STORY["answer"]}}
    found = '{ searchMessages(query: "towel") { nodes { sequence session { id } } } }'
    hits = (await ann.asks(found))["searchMessages"]["nodes"]
    assert hits == [{"sequence": messages[-1]["sequence"], "session": {"id": session}}]
    assert (await bob.asks(found))["searchMessages"]["nodes"] == []
    assert await bob.sees(session, "title") is None
