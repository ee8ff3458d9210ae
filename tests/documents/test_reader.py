"""Reading of documents into text, blocks and usage: a table for each format."""

import json

import pytest

from app.documents.reader import Content, read
from app.documents.usage import COLUMNS
from tests.documents.stored_blocks import blocks_of

PNG = "iVBORw0KGgo="  # the eight bytes that a PNG begins with
CALL = {"kind": "tool_use", "tool_use_id": "c1", "name": "find", "input": {"q": "tea"}}


def text(text):
    return {"kind": "text", "text": text}


def reasoning(text):
    return {"kind": "reasoning", "text": text}


def result(content, *, is_error=False):
    return {"kind": "tool_result", "tool_use_id": "c1", "is_error": is_error, "content": content}


def source(url, title=None, file_name=None):
    return {"kind": "source", "url": url, "title": title, "file_name": file_name}


def media(media_type, file_name=None, byte_length=None):
    return {"kind": "media", "media_type": media_type, "file_name": file_name, "byte_length": byte_length}


def other(name, raw):
    return {"kind": "other", "name": name, "raw": raw}


UI_CALL = {"type": "tool-find", "toolCallId": "c1", "input": {"q": "tea"}}
CONVERSE = [
    ({"text": "hi"}, text("hi")),
    ({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}, reasoning("hm")),
    ({"reasoningContent": {"redactedContent": {"__bytes_encoded__": True, "data": PNG}}}, reasoning("")),
    ({"toolUse": {"toolUseId": "c1", "name": "find", "input": {"q": "tea"}}}, CALL),
    ({"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": "x"}]}}, result([{"text": "x"}])),
    ({"toolResult": {"toolUseId": "c1", "status": "error", "content": []}}, result([], is_error=True)),
    (
        {"image": {"format": "png", "source": {"bytes": {"__bytes_encoded__": True, "data": PNG}}}},
        media("image/png", None, 8),
    ),
    ({"document": {"format": "pdf", "name": "tea", "source": {"bytes": PNG}}}, media("application/pdf", "tea", 8)),
    ({"document": {"format": "odd", "name": "tea", "source": {}}}, media("application/octet-stream", "tea")),
    ({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://tea"}}}}, media("video/mp4")),
    ({"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}}, text("ab")),
    ({"guardContent": {"text": {"text": "safe"}}}, text("safe")),
    ({"cachePoint": {"type": "default"}}, other("cachePoint", {"cachePoint": {"type": "default"}})),
    ({"toolUse": {"toolUseId": 5}}, other("toolUse", {"toolUse": {"toolUseId": 5}})),
]
ANTHROPIC = [
    ({"type": "text", "text": "hi"}, text("hi")),
    ({"type": "thinking", "thinking": "hm", "signature": "s"}, reasoning("hm")),
    ({"type": "redacted_thinking", "data": "secret"}, reasoning("")),
    ({"type": "tool_use", "id": "c1", "name": "find", "input": {"q": "tea"}}, CALL),
    ({"type": "server_tool_use", "id": "c1", "name": "find", "input": {"q": "tea"}}, CALL),
    ({"type": "tool_result", "tool_use_id": "c1", "content": "x"}, result("x")),
    ({"type": "tool_result", "tool_use_id": "c1", "content": "x", "is_error": True}, result("x", is_error=True)),
    ({"type": "web_search_tool_result", "tool_use_id": "c1", "content": []}, result([])),
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        media("image/png", None, 8),
    ),
    ({"type": "image", "source": {"type": "url", "url": "https://tea.example/a.png"}}, media("image/*")),
    (
        {"type": "document", "title": "tea", "source": {"type": "file", "file_id": "f1"}},
        media("application/octet-stream", "tea"),
    ),
    ({"type": "odd", "file_id": "f"}, other("odd", {"type": "odd", "file_id": "f"})),
]
COMPLETIONS = [
    ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}, media("image/png", None, 8)),
    ({"type": "image_url", "image_url": {"url": "https://tea.example/a"}}, media("image/*")),
    ({"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}, media("audio/wav", None, 8)),
    ({"type": "file", "file": {"filename": "tea", "file_id": "f1"}}, media("application/octet-stream", "tea")),
    ({"type": "refusal", "refusal": "no"}, text("no")),
]
RESPONSES = [
    ({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}, text("hi")),
    ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}, text("hi")),
    ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, reasoning("hm")),
    ({"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"q": "tea"}'}, CALL),
    ({"type": "custom_tool_call", "call_id": "c1", "name": "find", "input": "tea ["}, {**CALL, "input": "tea ["}),
    ({"type": "function_call_output", "call_id": "c1", "output": "x"}, result("x")),
    ({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}, media("image/png", None, 8)),
    (
        {"type": "input_file", "filename": "tea", "file_data": f"data:application/pdf;base64,{PNG}"},
        media("application/pdf", "tea", 8),
    ),
    ({"type": "item_reference", "id": "i"}, other("item_reference", {"type": "item_reference", "id": "i"})),
]


FRAMEWORKS = [  # what no sample has
    (
        {"type": "text", "text": "hi", "citations": [{"source": {"sourceType": "url", "url": "u"}}]},
        [text("hi"), source("u")],
    ),
    ({**UI_CALL, "state": "input-available"}, [CALL]),
    ({**UI_CALL, "state": "output-denied", "approval": {"reason": "no"}}, [CALL, result("no", is_error=True)]),
    (
        {"type": "tool-call", "toolCallId": "c1", "state": "input-available", "input": 1},
        [{**CALL, "name": "call", "input": 1}],
    ),
    ({"type": "tool-approval-request", "toolCallId": "c1"}, None),
    ({"type": "tool-call", "toolCallId": "c1", "toolName": "find", "argsText": '{"q": "tea"}'}, [CALL]),
    (
        {"type": "tool-result", "toolCallId": "c1", "output": {"type": "execution-denied", "reason": "no"}},
        [result("no", is_error=True)],
    ),
    ({"type": "file", "mediaType": "image/png", "data": {"type": "data", "data": PNG}}, [media("image/png", None, 8)]),
    ({"type": "binary", "mimeType": "image/png", "filename": "a", "data": PNG}, [media("image/png", "a", 8)]),
    ({"type": "tool_call_chunk", "name": "find", "args": '{"q": "tea"}', "id": "c1"}, [CALL]),
    ({"functionCall": {"name": "find", "args": {"q": "tea"}}}, [{**CALL, "tool_use_id": "find"}]),
    (
        {"functionResponse": {"id": "c1", "name": "find", "response": {"error": "no"}}},
        [result({"error": "no"}, is_error=True)],
    ),
    ({"retrievedContext": {"uri": "u", "title": "t"}}, [source("u", "t")]),
    (
        {"part_kind": "instruction", "content": "be brief"},
        [{"kind": "data", "name": "instruction", "data": "be brief"}],
    ),
    ({"part_kind": "new", "text": "hi"}, [other("new", {"part_kind": "new", "text": "hi"})]),
    (
        {"type": "mcp_call", "id": "c1", "name": "find", "arguments": '{"q": "tea"}', "error": "no"},
        [CALL, result("no", is_error=True)],
    ),
    (
        {
            "type": "output_text",
            "text": "hi",
            "annotations": [{"type": "file_citation", "file_id": "f", "filename": "a"}] * 2,
        },
        [text("hi"), source(None, None, "a")],
    ),
]
ENVELOPES = [  # what no sample has
    {"messages": [{"message": {"role": "user", "parts": [{"type": "text", "text": "hi"}]}, "parentId": None}]},
    {"format": "ai-sdk/v5", "content": {"role": "user", "parts": [{"type": "text", "text": "hi"}]}},
    {"author": "guide", "output_transcription": {"text": "hi", "finished": True}, "content": None},
    {"type": "AIMessageChunk", "content": "hi", "tool_call_chunks": []},
    {"candidates": [{"content": {"parts": [{"text": "hi"}]}}]},
    [{"object": "response", "output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}]}],
]


def blocks(document):
    """The blocks of a document, as a client gets them from what is stored."""
    return blocks_of(read(json.dumps(document)))


@pytest.mark.parametrize(("part", "block"), [*CONVERSE, *ANTHROPIC, *COMPLETIONS, *RESPONSES])
def test_part_becomes_one_block(part, block):
    assert blocks([part]) == [block]
    assert blocks({"role": "assistant", "content": [part, part]}) == [block, block]


@pytest.mark.parametrize(("part", "found"), FRAMEWORKS)
def test_part_of_a_framework_becomes_its_blocks(part, found):
    assert blocks({"role": "assistant", "parts": [part]}) == (found or [other(part["type"], part)])


@pytest.mark.parametrize(
    "whole",
    [
        *ENVELOPES,
        {"message": {"role": "assistant", "content": [{"text": "hi"}]}, "message_id": 3, "redact_message": None},
        {
            "message": {"role": "user", "content": [{"text": "bad"}]},
            "redact_message": {"role": "user", "content": "hi"},
        },
        {"output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}}, "stopReason": "end_turn"},
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hi"}], "model": "m"},
        {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}}]},
        {"object": "response", "output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}]},
        {"role": "user", "content": "hi"},
        [{"role": "user", "content": "hi"}],
        "hi",
    ],
)
def test_message_is_found_inside_its_envelope(whole):
    assert blocks(whole) == [text("hi")]
    assert read(json.dumps(whole)).stored_blocks is None  # the text is stored once


def test_openai_message_has_blocks_for_all_its_fields():
    function = {"name": "find", "arguments": '{"q": "tea"}'}
    calls = [{"id": "c1", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": calls}
    assert blocks(message) == [reasoning("hm"), CALL]
    assert blocks({"role": "assistant", "content": "a", "refusal": "no"}) == [text("a"), text("no")]
    assert blocks({"role": "tool", "tool_call_id": "c1", "content": "x"}) == [result("x")]


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        ("list", []),
        ("empty", {}),
        ("role", {"role": "user"}),
        ("role", {"role": "user", "content": []}),
        ("role", {"role": "user", "content": ""}),
        ("id", {"id": "m1", "parts": [{"type": "step-start"}]}),
    ],
)
def test_document_without_any_part_is_one_block(name, empty):
    assert blocks(empty) == [other(name, empty)]
    content = read(json.dumps(empty))
    assert (content.text, content.usage) == ("", None)


def test_empty_text_has_no_blocks():
    assert blocks("") == []
    assert read('""') == Content("", None, None)


def test_text_consists_of_the_text_blocks():
    parts = [{"text": "one"}, {"toolUse": {"toolUseId": "c1", "name": "find", "input": {}}}, {"text": "two"}]
    assert read(json.dumps({"role": "assistant", "content": parts})).text == "one\ntwo"


@pytest.mark.parametrize("raw", ["", "no json", "null", "12", "[" * 300 + "]" * 300, '{"a":'])
def test_raw_that_is_no_document_is_its_own_text(raw):
    assert read(raw) == Content(raw, None, None)


def test_values_that_cannot_be_stored_are_replaced_in_blocks():
    raw = '{"\\u0000": ["\\ud800", 12345678901234567890, 9223372036854775807, 1e400, NaN, 1.5]}'
    kept = {"\ufffd": ["\ufffd", "12345678901234567890", 2**63 - 1, "1e400", "NaN", 1.5]}
    assert json.loads(read(raw).stored_blocks or "") == [other("\ufffd", kept)]


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({"inputTokens": 1, "outputTokens": 2, "totalTokens": 5}, (1, 2, 5)),
        ({"request_tokens": 1, "response_tokens": 2}, (1, 2, 3)),
        ({"input_tokens": 1, "output_tokens": 2}, (1, 2, 3)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, (1, 2, 3)),
        ({"input_tokens": -1, "output_tokens": 2}, None),
        ({"input_tokens": True, "output_tokens": 2}, None),
        ({"input_tokens": 2**31, "output_tokens": 2}, None),
        ({"tokens": 4}, None),
    ],
)
def test_usage_is_read_from_the_document(usage, found):
    expected = None if found is None else dict(zip(COLUMNS, found, strict=True))
    message = {"role": "assistant", "content": "hi"}
    for whole in ({**message, "usage": usage}, {"message": {**message, "metadata": {"usage": usage}}}):
        assert read(json.dumps(whole)).usage == expected


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 4}}, (1, 2, 4)),
        ({"usage_metadata": {"prompt_token_count": 1, "thoughts_token_count": 2}}, (1, 2, 3)),
        ({"usage_metadata": {"prompt_token_count": 1, "thoughts_token_count": "2"}}, None),
        ({"metadata": {"custom": {"usage": {"inputTokens": 1, "outputTokens": 2}}}}, (1, 2, 3)),
        ({"response_metadata": {"usage": {"input_tokens": 1, "output_tokens": 2}}}, (1, 2, 3)),
        ({"metadata": {"steps": [{"usage": {"promptTokens": 1, "completionTokens": 2}}] * 2 + [{}]}}, (2, 4, 6)),
        ({"metadata": {"steps": [{"usage": {"promptTokens": 2**31 - 1, "completionTokens": 2}}] * 2}}, None),
    ],
)
def test_usage_is_read_where_each_framework_keeps_it(answer, found):
    expected = None if found is None else dict(zip(COLUMNS, found, strict=True))
    assert read(json.dumps({"role": "assistant", "content": "hi", **answer})).usage == expected
