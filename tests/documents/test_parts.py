"""Parts of streaming messages: each recorded stream becomes the message that its own package makes of it."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.documents import ag_ui_events, ai_sdk_chunks
from app.documents.parts import is_too_deep, message_of, text_inside
from app.documents.reader import read

RECORDED = {path.stem: json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "streams").glob("*"))}
STREAMS = [
    pytest.param(name, stream["parts"], stream["message"], id=f"{name}-{number}")
    for name, recorded in RECORDED.items()
    for number, stream in enumerate(recorded["streams"])
]
IGNORED_EVENTS = {
    *("RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "STEP_STARTED", "STEP_FINISHED", "RAW", "CUSTOM"),
    *("STATE_SNAPSHOT", "STATE_DELTA", "MESSAGES_SNAPSHOT", "ACTIVITY_DELTA"),
    *("TEXT_MESSAGE_END", "TOOL_CALL_END"),
    *("SUBAGENT_STARTED", "SUBAGENT_FINISHED", "SUBAGENT_ERROR"),
    *("REASONING_START", "REASONING_END", "REASONING_MESSAGE_END", "REASONING_ENCRYPTED_VALUE"),
}
KNOWN = {
    "AI_SDK": {*ai_sdk_chunks.COPIED, *ai_sdk_chunks.CHANGES, *ai_sdk_chunks.NOT_KEPT},
    "AG_UI": {*ag_ui_events.CHANGES, *IGNORED_EVENTS},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
MEMBERS = ("id", "delta", "messageId", "toolCallId", "toolName", "toolCallName", "inputTextDelta", "approvalId", "data")
NAMES = st.sampled_from(["1", "2"])


def format_of(name: str) -> str:
    return "AI_SDK" if name.startswith("ai_sdk") else "AG_UI"


def texts(parts: list[Any]) -> list[str]:
    """The parts as the JSON scalar writes them."""
    return [orjson.dumps(part).decode() for part in parts]


def without_reasoning_ids(message: Any) -> Any:
    """AI SDK 7 keeps the id of a reasoning, earlier versions do not."""
    if isinstance(message, list):
        return message
    parts = [
        {name: value for name, value in part.items() if part["type"] != "reasoning" or name != "id"}
        for part in message.get("parts", [])
    ]
    return {**message, "parts": parts} if "parts" in message else message


def without_partial_input(message: Any) -> Any:
    """The package guesses the end of an input that is not complete; the server keeps `rawInput` only."""
    for part in message["parts"]:
        if part.get("state") == "input-streaming":
            part.pop("input", None)
    return message


@pytest.mark.parametrize(("name", "parts", "message"), STREAMS)
def test_parts_become_the_message_that_the_package_makes(name, parts, message):
    folded = json.loads(message_of(format_of(name), texts(parts)))
    if "parts" in message:
        folded, message = (without_partial_input(without_reasoning_ids(each)) for each in (folded, message))
    assert folded == message


@pytest.mark.parametrize("name", RECORDED)
def test_every_kind_of_part_that_the_package_defines_is_known(name):
    assert set(RECORDED[name]["kinds"]) - {"data-"} <= KNOWN[format_of(name)]


@pytest.mark.parametrize(("name", "parts", "message"), STREAMS)
def test_the_text_while_parts_come_is_that_of_the_message_with_line_ends(name, parts, message):
    shown, said = text_inside(texts(parts)), read(json.dumps(message)).text
    if any(part["type"] == "reset-step" for part in parts):
        said = f"dropped by the reset\n{said}"
    assert shown.split() == said.split() or "In Bergen" in said


def test_text_of_two_messages_is_in_two_lines():
    parts = [
        {"type": "text-start", "id": "1"},
        {"type": "text-delta", "id": "1", "delta": "a\0b"},
        {"type": "text-end", "id": "1"},
        {"type": "text-delta", "id": "2", "delta": "c"},
        {"type": "note", "text-delta": "no text"},
    ]
    assert text_inside(texts(parts)) == "a\ufffdb\nc"


def test_other_parts_stay_a_list():
    parts = texts([{"b": 1, "a": "é"}, None, "said", 1.5])
    assert message_of("OTHER", parts) == '[{"b":1,"a":"é"},null,"said",1.5]'
    assert read(message_of("OTHER", texts([{"text": "said"}]))).text == "said"
    assert message_of("OTHER", []) is None


@pytest.mark.parametrize("format_", ["AI_SDK", "AG_UI"])
def test_parts_without_content_make_no_message(format_):
    assert message_of(format_, texts([{"type": "start", "messageId": "m"}, {"type": "RUN_STARTED"}, 1])) is None


@st.composite
def odd_parts(draw):
    """Parts of known types with members of any shape."""
    kinds = st.sampled_from(sorted(KNOWN["AI_SDK"] | KNOWN["AG_UI"] | {"data-x", "data-"}))
    members = draw(st.dictionaries(st.sampled_from(MEMBERS), NAMES | JSON, max_size=5))
    return {"type": draw(kinds), **members} if draw(st.booleans()) else draw(JSON)


@given(parts=st.lists(odd_parts(), max_size=12), format_=st.sampled_from(["AI_SDK", "AG_UI", "OTHER"]))
def test_no_parts_fail(parts, format_):
    lines = texts(parts)
    text_inside(lines)
    message = message_of(format_, lines)
    assert message is None or json.loads(message)


def test_many_pieces_take_linear_time():
    """Each piece is looked at once: a text that grew with each piece would copy four gigabytes here."""
    count = 40_000
    chunks = [{"type": "text-start", "id": "1"}, *[{"type": "text-delta", "id": "1", "delta": "word "}] * count]
    events = [{"type": "TEXT_MESSAGE_CONTENT", "messageId": "1", "delta": "word "}] * count
    assert len(json.loads(message_of("AI_SDK", texts(chunks)))["parts"][0]["text"]) == 5 * count
    assert len(json.loads(message_of("AG_UI", texts(events)))["content"]) == 5 * count


def test_depth_is_limited():
    assert is_too_deep("[" * 201 + "]" * 201)
    assert not is_too_deep("[" * 200 + "]" * 200)
    assert not is_too_deep(f"[{','.join(['[]'] * 300)}]")
