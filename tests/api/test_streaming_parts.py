"""Streaming messages that consist of parts: start, extend, read, end, and every refusal."""

import json

import pytest

from tests.documents.test_parts import RECORDED
from tests.support.ids import row_of
from tests.support.streaming import (
    FENCED,
    Writing,
    cancels,
    does,
    ended,
    ends_at,
    extends,
    extends_parts,
    finishes,
    reads,
    reads_parts,
    starts,
    why,
    writes,
)
from tests.support.users import error

ABSENT = {"code": "NOT_FOUND"}
AI_SDK = {"stream": "PARTS", "partsFormat": "AI_SDK"}
START = {"type": "text-start", "id": "1"}
END = {"type": "text-end", "id": "1"}
SHOWN = """query ($id: ID!) { node(id: $id) { ... on Message { status text raw parts usage { totalTokens }
    content { __typename ... on TextBlock { text } ... on ReasoningBlock { text } ... on ToolUseBlock { name input } } } } }"""


def delta(text):
    return {"type": "text-delta", "id": "1", "delta": text}


async def shows(user, writing):
    return (await user.asks(SHOWN, id=writing.message))["node"]


async def test_parts_are_readable_while_they_come_by_their_owner_only(ann, bob):
    session = await ann.creates_session()
    writing = await starts(ann, session, **AI_SDK)
    assert await reads_parts(ann, writing) == ([], "")
    thought = {"type": "data-thought", "data": {"b": 1, "a": ["é\0", None, 2**63, 1.5]}}
    assert await extends_parts(ann, writing, 0, START, delta("Hel")) is None
    assert await extends_parts(ann, writing, 2, delta("lo"), thought) is None
    assert await reads_parts(ann, writing) == ([START, delta("Hel"), delta("lo"), thought], "Hello")
    assert [(await reads_parts(ann, writing, after))[0] for after in (1, 2, 3, 4, 9, -1)] == [
        [delta("Hel"), delta("lo"), thought],
        [delta("lo"), thought],
        [thought],
        [],
        [],
        [START, delta("Hel"), delta("lo"), thought],
    ]
    preview = "{ sessions { nodes { streaming lastMessage { text status } } } }"
    [listed] = (await ann.asks(preview))["sessions"]["nodes"]
    assert listed == {"streaming": True, "lastMessage": {"text": "Hello", "status": "STREAMING"}}
    assert await reads_parts(bob, writing) is None
    assert await extends_parts(bob, writing, 4, END) == ABSENT
    assert await extends_parts(bob, writing, 0, START) == ABSENT
    assert await cancels(bob, writing) == ABSENT
    assert await extends_parts(ann, Writing("msg_nonsense", writing.fence, 1), 4, END) == ABSENT
    assert await finishes(ann, writing) == ("COMPLETE", "Hello")
    assert await reads_parts(ann, writing) == (None, "Hello")


async def test_repeated_parts_change_nothing_and_other_parts_are_refused(ann):
    writing = await starts(ann, await ann.creates_session(), **AI_SDK)
    sent = [{"n": n} for n in range(6)]
    for start, end in ((0, 1), (1, 4), (4, 6)):
        assert await extends_parts(ann, writing, start, *sent[start:end]) is None
    for start, end in ((0, 1), (0, 6), (2, 3), (2, 5), (3, 6), (5, 6)):
        assert await extends_parts(ann, writing, start, *sent[start:end]) is None, (start, end)
    for start, parts in ((0, [{"n": 1}]), (5, [*sent[5:], 7]), (7, [7]), (2, [{"n": 2.0}]), (9_999, [1])):
        assert await extends_parts(ann, writing, start, *parts) == ends_at(6), (start, parts)
    assert await extends_parts(ann, writing, 6) is None
    assert await extends_parts(ann, writing, 7) == ends_at(6)
    assert (await reads_parts(ann, writing))[0] == sent


async def test_one_kind_of_stream_takes_no_pieces_of_the_other(ann):
    session = await ann.creates_session()
    text, parts = await starts(ann, session, key="t"), await starts(ann, session, key="p", stream="PARTS")
    assert await extends_parts(ann, text, 0, START) == error("VALIDATION")
    assert await extends(ann, parts, 0, "text") == error("VALIDATION")
    both = {"id": parts.message, "fence": parts.fence, "offset": 0, "text": "a", "parts": [1]}
    assert why(await does(ann, "extendMessage", "message { id }", **both)) == error("VALIDATION")
    assert await extends(ann, parts, 0, "") is None
    assert await extends_parts(ann, text, 0) is None
    await writes(ann, text, "said")
    assert await reads_parts(ann, text) == (None, "said")

    async def begins(**fields):
        return why(await does(ann, "startMessage", "fence", sessionId=session, **fields))

    assert await begins(partsFormat="AI_SDK") == error("VALIDATION")
    for fields in ({"key": "t", "stream": "PARTS"}, {"key": "p"}, {"key": "p", **AI_SDK}):
        assert (await begins(**fields))["code"] == "CONFLICT"
    assert await extends_parts(ann, parts, 0, 1) is None


async def test_restarted_producer_continues_after_the_parts_and_the_old_one_is_fenced(ann):
    session = await ann.creates_session()
    first = await starts(ann, session, key="k", **AI_SDK)
    await extends_parts(ann, first, 0, START, delta("so "))
    payload = await does(ann, "startMessage", "fence message { id parts }", sessionId=session, key="k", **AI_SDK)
    second = first._replace(fence=payload["fence"])
    assert payload["message"] == {"id": first.message, "parts": [START, delta("so ")]}
    assert await extends_parts(ann, first, 2, END) == FENCED
    assert await extends_parts(ann, first, 0, START) == FENCED
    assert await extends_parts(ann, second, 2, delta("far")) is None
    assert await finishes(ann, second) == ("COMPLETE", "so far")


async def test_parts_of_ai_sdk_become_a_message_with_blocks(ann):
    recorded = RECORDED["ai_sdk_7"]["streams"][0]
    writing = await starts(ann, await ann.creates_session(), **AI_SDK)
    assert await extends_parts(ann, writing, 0, *recorded["parts"]) is None
    assert (await finishes(ann, writing))[0] == "COMPLETE"
    shown = await shows(ann, writing)
    assert json.loads(shown["raw"]) == recorded["message"]
    kinds = ["ReasoningBlock", "ToolUseBlock", "ToolResultBlock", "SourceBlock", "TextBlock"]
    assert [block["__typename"] for block in shown["content"]] == kinds
    assert (shown["parts"], shown["usage"]) == (None, {"totalTokens": 7})
    assert shown["text"] == shown["content"][-1]["text"]
    found = await ann.asks('{ searchMessages(query: "towel") { totalCount } }')
    assert found["searchMessages"]["totalCount"] == 1


async def test_events_of_ag_ui_become_messages(ann):
    recorded = RECORDED["ag_ui"]["streams"][0]
    writing = await starts(ann, await ann.creates_session(), stream="PARTS", partsFormat="AG_UI")
    assert await extends_parts(ann, writing, 0, *recorded["parts"]) is None
    assert (await reads_parts(ann, writing))[1].splitlines()[0] == "I look it up."
    assert (await finishes(ann, writing))[0] == "COMPLETE"
    assert json.loads((await shows(ann, writing))["raw"]) == recorded["message"]


async def test_other_parts_stay_a_list_and_usage_may_be_sent(ann):
    writing = await starts(ann, await ann.creates_session(), stream="PARTS")
    await extends_parts(ann, writing, 0, {"b": 1, "a": 2}, "said")
    assert await finishes(ann, writing, usage={"inputTokens": 1, "outputTokens": 2}) == ("COMPLETE", "said")
    shown = await shows(ann, writing)
    assert (shown["raw"], shown["usage"]) == ('[{"b":1,"a":2},"said"]', {"totalTokens": 3})


async def test_raw_replaces_the_parts(ann):
    writing = await starts(ann, await ann.creates_session(), **AI_SDK)
    await extends_parts(ann, writing, 0, START, delta("rough"))
    raw = json.dumps({"id": "m", "role": "assistant", "parts": [{"type": "text", "text": "fair"}]})
    assert await finishes(ann, writing, raw=raw) == ("COMPLETE", "fair")
    assert await finishes(ann, writing, raw=raw) == ("COMPLETE", "fair")
    assert (await shows(ann, writing))["raw"] == raw


async def test_stop_keeps_what_came_and_stops_the_producer(ann):
    writing = await starts(ann, await ann.creates_session(), **AI_SDK)
    await extends_parts(ann, writing, 0, START, delta("half an "))
    assert await cancels(ann, writing) == ("CANCELLED", "half an ")
    assert await extends_parts(ann, writing, 2, delta("answer")) == ended("CANCELLED")
    assert await cancels(ann, writing) == ("CANCELLED", "half an ")
    parts = json.loads((await shows(ann, writing))["raw"])["parts"]
    assert parts == [{"type": "text", "text": "half an ", "state": "streaming"}]
    empty = await starts(ann, await ann.creates_session(), **AI_SDK)
    await extends_parts(ann, empty, 0, {"type": "start"})
    assert await cancels(ann, empty) == ("CANCELLED", "")
    assert (await shows(ann, empty))["raw"] is None


async def test_deletion_leaves_no_parts(ann, sql):
    session = await ann.creates_session()
    one, other = await starts(ann, session, **AI_SDK), await starts(ann, session, **AI_SDK)
    for writing in (one, other):
        await extends_parts(ann, writing, 0, START, delta("words"))
    assert (await ann.does("deleteMessage", id=one.message))["errors"] == []
    assert await extends_parts(ann, one, 2, END) == ABSENT
    await ann.does("deleteSession", id=session)
    assert await extends_parts(ann, other, 2, END) == ABSENT
    await ann.does("restoreSession", id=session)
    assert await reads(ann, other) == ("CANCELLED", "words")
    for table in ("streams", "message_chunks"):
        assert await sql(f"select from {table} where session_id = $1", row_of(session)) == []


async def test_parts_have_a_maximum_of_bytes(ann):
    writing = await starts(ann, await ann.creates_session(), stream="PARTS")
    size = 2**19
    parts = ["é" * (size // 2 - 1), "x" * (size - 3)]  # with two quotes each, a byte is left
    for offset, part in enumerate(parts):
        assert await extends_parts(ann, writing, offset, part) is None
    assert await extends_parts(ann, writing, 2, 10) == error("LIMIT", limit=2**20)
    assert await extends_parts(ann, writing, 2, 1) is None
    assert await extends_parts(ann, writing, 0, *parts) is None
    assert (await finishes(ann, writing))[0] == "COMPLETE"


@pytest.mark.parametrize(
    ("offset", "parts", "refused"),
    [(-1, [1], error("VALIDATION")), (0, [json.loads("[" * 201 + "]" * 201)], error("VALIDATION"))],
)
async def test_invalid_parts_are_refused(ann, offset, parts, refused):
    writing = await starts(ann, await ann.creates_session(), stream="PARTS")
    assert await extends_parts(ann, writing, offset, *parts) == refused
    assert await reads_parts(ann, writing) == ([], "")


EXTEND = """mutation ($input: ExtendMessageInput!, $key: String!) {
  extendMessage(input: $input) @idempotent(key: $key) { message { parts } errors { code } } }"""


async def test_an_extend_runs_once_under_an_idempotency_key(ann):
    writing = await starts(ann, await ann.creates_session(), stream="PARTS")
    sent = {"id": writing.message, "fence": writing.fence, "offset": 0, "parts": [{"a": 1}]}
    first, second = [await ann.responds(EXTEND, input=sent, key="k") for _ in range(2)]
    assert first["data"] == second["data"] == {"extendMessage": {"message": {"parts": [{"a": 1}]}, "errors": []}}
    assert second["extensions"]["idempotency"] == {"replayed": True}
