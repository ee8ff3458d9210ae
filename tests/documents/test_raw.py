"""Documents in `raw`: returned character for character, and read into text, blocks and usage (invariant 5)."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from tests.support.users import error, outcome

SHOWN = """message {
  text raw redactedAt usage { inputTokens outputTokens totalTokens }
  content {
    __typename position
    ... on TextBlock { text }
    ... on ToolUseBlock { toolUseId name input }
    ... on OtherBlock { kind raw }
  }
}"""

# What JSON can say and Python's own values cannot: written as it stands.
NUMBERS = some.sampled_from(["-0", "-0.0", "1e400", "1E+2", "1.0", "12345678901234567890123", "9" * 5000, "0.1e-999"])
LETTERS = some.sampled_from(
    ["\\u0000", "\\ud83d", "\\ude00", "\\ud83d\\ude00", '\\"', "\\\\", "é", "\uffff", "\U0001f600"]
)
STRINGS = some.lists(LETTERS | some.characters(codec="utf-8", exclude_characters='"\\', min_codepoint=32)).map(
    lambda letters: f'"{"".join(letters)}"'
)
SPACE = some.sampled_from(["", " ", "\n", "\t"])


def objects(inside: Any) -> Any:
    return some.lists(some.tuples(STRINGS, SPACE, inside), max_size=4).map(
        lambda members: "{" + ",".join(f"{key}{space}:{value}" for key, space, value in members) + "}"
    )


def arrays(inside: Any) -> Any:
    return some.lists(some.tuples(SPACE, inside), max_size=4).map(
        lambda items: "[" + ",".join(space + value for space, value in items) + "]"
    )


DOCUMENTS = some.recursive(
    some.sampled_from(["null", "true", "false"]) | NUMBERS | STRINGS, lambda inside: objects(inside) | arrays(inside)
)
NAMES = """
    role content message type text toolUse toolResult toolUseId name input image format source bytes reasoning
    tool_use tool_result tool_use_id id function arguments summary document data usage inputTokens
"""
WORDS = some.sampled_from(NAMES.split())
MISFITS = some.recursive(
    some.none() | some.booleans() | some.integers() | WORDS,
    lambda inside: some.lists(inside, max_size=4) | some.dictionaries(WORDS, inside, max_size=5),
)
MANY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(raw=DOCUMENTS)
@example(raw="[" * 5_000 + "]" * 5_000)
@example(raw='{"a": 1, "a": 2, "\\u0000": {"\\ud800": [1e400, -0, 123456789012345678901234567890]}}')
@example(raw="no JSON at all: ' \" \\ \ufeff")
@MANY
async def test_raw_of_a_message_is_returned_unchanged(ann, raw):
    session = await ann.creates_session()
    payload = await ann.does("appendMessage", SHOWN, sessionId=session, message={"role": "USER", "raw": raw})
    assert payload["errors"] == []
    assert payload["message"]["raw"] == raw
    assert await ann.sees(session, "messages { nodes { raw } }") == {"messages": {"nodes": [{"raw": raw}]}}


@given(raw=DOCUMENTS)
@example(raw='{"state": {"a": 1, "a": 2, "\\u0000": {"\\ud800": [1e400, -0, 123456789012345678901234567890]}}}')
@MANY
async def test_raw_of_a_session_agent_is_returned_unchanged(ann, raw):
    session = await ann.creates_session()
    payload = await ann.does("putSessionAgent", "sessionAgent { raw state }", sessionId=session, key="a", raw=raw)
    assert payload["sessionAgent"]["raw"] == raw
    assert await ann.sees(session, "agents { nodes { raw } }") == {"agents": {"nodes": [{"raw": raw}]}}


@given(document=MISFITS)
@MANY
async def test_document_of_any_shape_is_stored_and_read(ann, document):
    session = await ann.creates_session()
    message = {"role": "ASSISTANT", "raw": json.dumps(document)}
    payload = await ann.does("appendMessage", SHOWN, sessionId=session, message=message)
    assert payload["errors"] == []
    content = payload["message"]["content"]
    assert [block["position"] for block in content] == [*range(len(content))]


async def test_plain_text_is_one_block(ann):
    session = await ann.creates_session()
    message = {"role": "USER", "text": "hello"}
    payload = await ann.does("appendMessage", SHOWN, sessionId=session, message=message)
    block = {"__typename": "TextBlock", "position": 0, "text": "hello"}
    assert payload["message"] == {"text": "hello", "raw": None, "content": [block], "usage": None, "redactedAt": None}


async def test_only_the_owner_reads_content_of_a_document(ann, bob):
    session = await ann.creates_session()
    said = [{"text": "Looking\u0000"}, {"toolUse": {"toolUseId": "t1", "name": "find", "input": {"n": 2**70}}}]
    raw = json.dumps({"message": {"role": "assistant", "content": [*said, {"odd": 1}]}, "message_id": 0})
    message = {"role": "ASSISTANT", "raw": raw, "key": "0", "agentKey": "guide"}
    payload = await ann.does("appendMessage", SHOWN, sessionId=session, message=message)
    assert payload["message"]["text"] == "Looking\ufffd"
    assert payload["message"]["content"] == [
        {"__typename": "TextBlock", "position": 0, "text": "Looking\ufffd"},
        {"__typename": "ToolUseBlock", "position": 1, "toolUseId": "t1", "name": "find", "input": {"n": str(2**70)}},
        {"__typename": "OtherBlock", "position": 2, "kind": "odd", "raw": {"odd": 1}},
    ]
    again = await ann.does("appendMessage", SHOWN, sessionId=session, message=message)
    assert again == payload
    other = await ann.does("appendMessage", SHOWN, sessionId=session, message=message | {"raw": raw + " "})
    assert outcome(other) == error("CONFLICT", field="message.key")
    assert await bob.sees(session, "messages { nodes { raw } }") is None
    refused = await bob.does("appendMessage", SHOWN, sessionId=session, message=message)
    assert outcome(refused) == error("NOT_FOUND", field="sessionId")


async def test_batch_may_hold_documents(ann):
    session = await ann.creates_session()
    raws = [json.dumps({"role": "user", "content": f"number {n}"}) for n in range(3)]
    messages = [{"role": "USER", "raw": raw} for raw in raws] + [{"role": "USER", "text": "plain"}]
    payload = await ann.does("appendMessages", "messages { raw text }", sessionId=session, messages=messages)
    said = [{"raw": raw, "text": f"number {n}"} for n, raw in enumerate(raws)]
    assert payload["messages"] == [*said, {"raw": None, "text": "plain"}]


async def test_usage_comes_from_the_input_or_else_the_document(ann):
    session = await ann.creates_session()

    async def usage(**message: Any) -> Any:
        payload = await ann.does("appendMessage", SHOWN, sessionId=session, message={"role": "ASSISTANT", **message})
        return payload["message"]["usage"] if payload["message"] else outcome(payload)

    answer = json.dumps({"role": "assistant", "content": "hi", "usage": {"input_tokens": 3, "output_tokens": 4}})
    assert await usage(raw=answer) == {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
    assert await usage(raw=answer, usage={"inputTokens": 1, "outputTokens": 2, "totalTokens": 9}) == {
        "inputTokens": 1,
        "outputTokens": 2,
        "totalTokens": 9,
    }
    assert await usage(text="hi", usage={"inputTokens": 0, "outputTokens": 0, "totalTokens": None}) == {
        "inputTokens": 0,
        "outputTokens": 0,
        "totalTokens": 0,
    }
    for wrong in ({"inputTokens": -1, "outputTokens": 2}, {"inputTokens": 2**31 - 1, "outputTokens": 1}):
        assert await usage(text="hi", usage=wrong) == error("VALIDATION", field="message.usage")


@pytest.mark.parametrize("said", [{}, {"text": "a", "raw": "{}"}, {"text": None, "raw": None}])
async def test_message_needs_exactly_one_of_text_and_raw(ann, said):
    session = await ann.creates_session()
    payload = await ann.does("appendMessage", SHOWN, sessionId=session, message={"role": "USER", **said})
    assert outcome(payload) == error("VALIDATION", field="message.text")
    payload = await ann.does("redactMessage", SHOWN, id=f"msg_{session[4:]}_1", **said)
    assert outcome(payload) == error("VALIDATION", field="text")


async def test_raw_that_cannot_be_stored_is_refused(ann):
    session = await ann.creates_session()
    for wrong in ('"' + "x" * 2**20 + '"', "\0"):
        payload = await ann.does("appendMessage", SHOWN, sessionId=session, message={"role": "USER", "raw": wrong})
        assert outcome(payload) == error("VALIDATION", field="message.raw")


async def test_text_and_raw_replace_each_other(ann):
    session = await ann.creates_session()
    await ann.appends(session, "one")
    raw = json.dumps([{"text": "two"}, {"odd": 1}])
    changed = await ann.does("updateMessage", SHOWN, id=f"msg_{session[4:]}_1", raw=raw)
    assert (changed["message"]["text"], changed["message"]["raw"]) == ("two", raw)
    assert len(changed["message"]["content"]) == 2
    changed = await ann.does("updateMessage", SHOWN, id=f"msg_{session[4:]}_1", text="three")
    assert (changed["message"]["text"], changed["message"]["raw"]) == ("three", None)
    assert await ann.sees(session, "title") == {"title": "three"}
