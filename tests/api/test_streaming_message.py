"""Streaming messages: start, extend, finish, cancel, take-over, and reading meanwhile."""

import json

import pytest

from tests.support.ids import row_of
from tests.support.streaming import (
    FENCED,
    Writing,
    cancels,
    does,
    ended,
    ends_at,
    extends,
    finishes,
    reads,
    starts,
    why,
    writes,
)
from tests.support.users import error, outcome

ABSENT = error("NOT_FOUND")


async def test_message_is_readable_while_it_streams(ann, bob):
    session = await ann.creates_session()
    writing = await starts(ann, session)
    assert await reads(ann, writing) == ("STREAMING", "")
    assert await extends(ann, writing, 0, "Grüße ") is None
    assert await extends(ann, writing, 6, "👋🏽") is None
    assert await reads(ann, writing) == ("STREAMING", "Grüße 👋🏽")
    assert await extends(ann, writing, 8, "!") is None
    assert await finishes(ann, writing) == ("COMPLETE", "Grüße 👋🏽!")
    assert await reads(ann, writing) == ("COMPLETE", "Grüße 👋🏽!")
    stored = await ann.sees(session, "status messageCount unreadCount lastMessage { role text }")
    last = {"role": "ASSISTANT", "text": "Grüße 👋🏽!"}
    assert stored == {"status": "ACTIVE", "messageCount": 1, "unreadCount": 1, "lastMessage": last}
    assert await reads(bob, writing) is None


async def test_streaming_message_is_absent_for_a_stranger(ann, bob):
    session = await ann.creates_session()
    writing = await starts(ann, session, key="k")
    assert why(await does(bob, "startMessage", "fence message { id }", sessionId=session, key="k")) == ABSENT
    assert await extends(bob, writing, 0, "x") == ABSENT
    assert await finishes(bob, writing) == ABSENT
    assert await cancels(bob, writing) == ABSENT
    assert await extends(ann, Writing("msg_nonsense", writing.fence, 1), 0, "x") == ABSENT
    assert await reads(ann, writing) == ("STREAMING", "")


async def test_repeated_text_changes_nothing_and_other_text_is_refused(ann):
    writing = await starts(ann, await ann.creates_session())
    await writes(ann, writing, "abc", "def", "ghi")
    for offset, text in ((0, "abc"), (6, "ghi"), (2, "cdefg"), (4, "e"), (0, "abcdefghi"), (9, ""), (3, "")):
        assert await extends(ann, writing, offset, text) is None, (offset, text)
    for offset, text in ((0, "abx"), (8, "ij"), (10, "x"), (10, ""), (9_999, "x"), (5, "efghi")):
        assert await extends(ann, writing, offset, text) == ends_at(9), (offset, text)
    assert await reads(ann, writing) == ("STREAMING", "abcdefghi")


async def test_offsets_count_code_points(ann):
    writing = await starts(ann, await ann.creates_session())
    await writes(ann, writing, "👩‍👩‍👧", "é", "e\u0301", "🂡")
    assert await extends(ann, writing, 8, "🂡") is None
    assert await extends(ann, writing, 13, "x") == ends_at(9)
    assert await reads(ann, writing) == ("STREAMING", "👩‍👩‍👧ée\u0301🂡")


@pytest.mark.parametrize(
    ("offset", "text", "refused"),
    [
        (-1, "x", error("VALIDATION", field="offset")),
        (0, "a\0b", error("VALIDATION", field="text")),
        (0, "half \udfff", error("VALIDATION", field="text")),
        (0, "t" * 1_000_001, error("VALIDATION", field="text")),
    ],
)
async def test_invalid_text_is_refused(ann, offset, text, refused):
    writing = await starts(ann, await ann.creates_session())
    given = {"id": writing.message, "fence": writing.fence, "offset": offset, "text": text}
    assert outcome(await ann.does("extendMessage", **given)) == refused
    assert await reads(ann, writing) == ("STREAMING", "")


async def test_text_has_a_maximum_length(ann):
    writing = await starts(ann, await ann.creates_session())
    await writes(ann, writing, "t" * 600_000, "t" * 400_000)
    assert await extends(ann, writing, 1_000_000, "x") == error("LIMIT", limit=1_000_000)
    assert await extends(ann, writing, 1_000_000, "") is None
    assert (await finishes(ann, writing))[0] == "COMPLETE"


@pytest.mark.parametrize("status", ["COMPLETE", "FAILED"])
async def test_finish_is_final_and_may_be_repeated(ann, status):
    session = await ann.creates_session()
    writing = await starts(ann, session)
    await writes(ann, writing, "said")
    assert await finishes(ann, writing, status=status) == (status, "said")
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    assert await finishes(ann, writing, status=status) == (status, "said")
    other = {"COMPLETE": "FAILED", "FAILED": "COMPLETE"}[status]
    refused = error("ILLEGAL_TRANSITION", fromStatus=status, toStatus=other)
    assert await finishes(ann, writing, status=other) == refused
    assert await finishes(ann, writing, status=status, raw='"else"') == {**refused, "toStatus": status}
    assert await finishes(ann, writing._replace(fence="another"), status=status) == {**refused, "toStatus": status}
    assert await cancels(ann, writing) == {**refused, "toStatus": "CANCELLED"}
    assert await extends(ann, writing, 4, "x") == ended(status)
    assert await extends(ann, writing, 0, "said") == ended(status)
    assert (await ann.sees(session, "eventCursor"))["eventCursor"] == cursor


async def test_cancel_keeps_the_text_and_stops_the_producer(ann):
    session = await ann.creates_session()
    writing = await starts(ann, session)
    await writes(ann, writing, "half an ")
    assert await cancels(ann, writing) == ("CANCELLED", "half an ")
    assert await extends(ann, writing, 8, "answer") == ended("CANCELLED")
    refused = error("ILLEGAL_TRANSITION", fromStatus="CANCELLED", toStatus="COMPLETE")
    assert await finishes(ann, writing) == refused
    assert await cancels(ann, writing) == ("CANCELLED", "half an ")
    assert await reads(ann, writing) == ("CANCELLED", "half an ")
    found = await ann.asks('{ searchMessages(query: "half") { nodes { text } } }')
    assert found["searchMessages"]["nodes"] == [{"text": "half an "}]


async def test_restarted_producer_takes_over_and_the_old_one_is_fenced(ann):
    session = await ann.creates_session()
    first = await starts(ann, session, key="k", agentKey="guide", metadata={"try": 1})
    await writes(ann, first, "so ", "far")
    revision = "query ($id: ID!) { node(id: $id) { ... on Message { revision metadata } } }"
    before = (await ann.asks(revision, id=first.message))["node"]
    second = await starts(ann, session, key="k", agentKey="guide", metadata={"try": 1})
    assert (second.message, second.sequence) == (first.message, first.sequence)
    assert second.fence != first.fence
    assert (await ann.asks(revision, id=first.message))["node"] == before
    assert await extends(ann, first, 6, "x") == FENCED
    assert await extends(ann, first, 0, "so ") == FENCED
    assert await finishes(ann, first) == FENCED
    assert await reads(ann, second) == ("STREAMING", "so far")
    assert await extends(ann, second, 6, " so good") is None
    third = await starts(ann, session, key="k", agentKey="guide", metadata={"try": 3})
    assert (await ann.asks(revision, id=first.message))["node"]["metadata"] == {"try": 3}
    assert await finishes(ann, third) == ("COMPLETE", "so far so good")
    assert (await ann.sees(session, "messageCount"))["messageCount"] == 1


async def test_key_identifies_one_message(ann):
    session = await ann.creates_session()
    await ann.appends(session, "said", key="old")
    writing = await starts(ann, session, key="k")

    async def begins(**fields):
        return why(await does(ann, "startMessage", "fence message { id }", sessionId=session, **fields))

    assert (await begins(key="old", role="USER"))["code"] == "CONFLICT"
    assert (await begins(key="k", role="USER"))["code"] == "CONFLICT"
    assert await ann.appends(session, "", "ASSISTANT", key="k") == error("CONFLICT", field="message.key")
    other = await starts(ann, session, key="k", agentKey="guide")
    assert other.message != writing.message
    await writes(ann, writing, "said")
    await finishes(ann, writing)
    assert (await begins(key="k"))["code"] == "CONFLICT"
    assert await ann.appends(session, "said", "ASSISTANT", key="k") == {"sequence": 2, "text": "said"}


async def test_messages_stream_concurrently_with_each_other_and_with_appends(ann):
    session = await ann.creates_session()
    first, second = await starts(ann, session), await starts(ann, session)
    assert await ann.appends(session, "a question") == {"sequence": 3, "text": "a question"}
    await writes(ann, first, "one")
    await writes(ann, second, "two")
    assert await finishes(ann, second) == ("COMPLETE", "two")
    assert await reads(ann, first) == ("STREAMING", "one")
    texts = await ann.sees(session, "messages { nodes { text } }")
    assert [node["text"] for node in texts["messages"]["nodes"]] == ["one", "two", "a question"]
    assert await finishes(ann, first) == ("COMPLETE", "one")


async def test_raw_replaces_the_streamed_text(ann):
    writing = await starts(ann, await ann.creates_session(), metadata={"a": 1})
    await writes(ann, writing, "rough")
    raw = json.dumps(
        {"role": "assistant", "content": [{"text": "fair"}], "usage": {"inputTokens": 1, "outputTokens": 2}}
    )
    assert await finishes(ann, writing, raw=raw, metadata={"b": 2}) == ("COMPLETE", "fair")
    assert await finishes(ann, writing, raw=raw, metadata={"b": 2}) == ("COMPLETE", "fair")
    shown = "query ($id: ID!) { node(id: $id) { ... on Message { raw metadata usage { inputTokens totalTokens } } } }"
    node = (await ann.asks(shown, id=writing.message))["node"]
    assert node == {"raw": raw, "metadata": {"b": 2}, "usage": {"inputTokens": 1, "totalTokens": 3}}


async def test_usage_is_stored_with_the_streamed_text(ann):
    writing = await starts(ann, await ann.creates_session(), metadata={"a": 1})
    await writes(ann, writing, "said")
    refused = await does(ann, "finishMessage", "cursor", id=writing.message, fence=writing.fence, metadata=None)
    assert why(refused) == error("VALIDATION")
    usage = {"inputTokens": 7, "outputTokens": 2}
    assert await finishes(ann, writing, usage=usage) == ("COMPLETE", "said")
    shown = "query ($id: ID!) { node(id: $id) { ... on Message { raw metadata usage { totalTokens } } } }"
    node = (await ann.asks(shown, id=writing.message))["node"]
    assert node == {"raw": None, "metadata": {"a": 1}, "usage": {"totalTokens": 9}}


async def test_start_reopens_a_session_like_an_append(ann, expires):
    session = await ann.creates_session()
    await ann.does("archiveSession", id=session)
    await starts(ann, session, agentKey="guide")
    state = "status archivedAt agents { nodes { key } }"
    guide = {"nodes": [{"key": "guide"}]}
    assert await ann.sees(session, state) == {"status": "ACTIVE", "archivedAt": None, "agents": guide}
    await expires(session)
    await starts(ann, session)
    assert (await ann.sees(session, "status"))["status"] == "ACTIVE"
    await ann.does("setSessionStatus", id=session, status="COMPLETED")
    refused = await does(ann, "startMessage", "fence", sessionId=session)
    assert why(refused) == error("ILLEGAL_TRANSITION", fromStatus="COMPLETED", toStatus="ACTIVE")


async def test_streamed_user_message_gives_the_title(ann):
    session = await ann.creates_session()
    writing = await starts(ann, session, role="USER")
    await writes(ann, writing, "How ", "far?")
    assert (await ann.sees(session, "title unreadCount")) == {"title": "", "unreadCount": 0}
    await finishes(ann, writing)
    assert (await ann.sees(session, "title unreadCount")) == {"title": "How far?", "unreadCount": 0}


async def test_streaming_message_accepts_metadata_but_no_new_content(ann):
    writing = await starts(ann, await ann.creates_session())
    await writes(ann, writing, "so far")
    for mutation in ("updateMessage", "redactMessage"):
        refused = await ann.does(mutation, id=writing.message, text="other")
        assert outcome(refused) == error("ILLEGAL_TRANSITION", field="id")
    changed = await ann.does("updateMessage", "message { text metadata }", id=writing.message, metadata={"a": 1})
    assert changed["message"] == {"text": "so far", "metadata": {"a": 1}}
    assert await finishes(ann, writing) == ("COMPLETE", "so far")
    assert (await ann.does("updateMessage", id=writing.message, text="other"))["errors"] == []


async def test_deletion_ends_streaming_messages(ann, sql):
    session = await ann.creates_session()
    one, other = await starts(ann, session), await starts(ann, session)
    await writes(ann, one, "words")
    await writes(ann, other, "stay")
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    assert (await ann.does("deleteMessage", id=one.message))["errors"] == []
    assert await extends(ann, one, 5, "x") == ABSENT
    assert await finishes(ann, one) == ABSENT
    assert await cancels(ann, one) == ABSENT
    removed = (await ann.replays(session, cursor))[0]
    assert (removed["__typename"], removed["messageId"]) == ("MessageRemoved", one.message)
    assert await sql("select text from message_chunks where session_id = $1", row_of(session)) == [("stay",)]
    assert (await ann.sees(session, "streaming"))["streaming"] is True
    await ann.does("deleteSession", id=session)
    assert await extends(ann, other, 4, "x") == ABSENT
    await ann.does("restoreSession", id=session)
    assert await reads(ann, other) == ("CANCELLED", "stay")
    assert (await ann.sees(session, "streaming"))["streaming"] is False


async def test_erased_session_leaves_no_streamed_text(ann, sql):
    session = await ann.creates_session()
    writing = await starts(ann, session)
    await writes(ann, writing, "words")
    await ann.does("deleteSession", id=session, mode="HARD")
    assert await extends(ann, writing, 5, "x") == ABSENT
    for table in ("streams", "message_chunks"):
        assert await sql(f"select * from {table} where session_id = $1", row_of(session)) == []


async def test_session_returns_whether_a_message_streams(ann):
    session, quiet = await ann.creates_session("a"), await ann.creates_session("b")
    writing = await starts(ann, session)

    async def running():
        page = await ann.asks("{ sessions { nodes { id streaming } } }")
        return {node["id"] for node in page["sessions"]["nodes"] if node["streaming"]}

    assert await running() == {session}
    assert quiet not in await running()
    await cancels(ann, writing)
    assert await running() == set()


async def test_subscribers_receive_start_and_end(ann):
    session = await ann.creates_session(status="ACTIVE")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    writing = await starts(ann, session)
    [added, _] = await ann.replays(session, start)
    assert (added["__typename"], added["message"]["text"]) == ("MessageAdded", "")
    await writes(ann, writing, "all of it")
    payload = await does(ann, "finishMessage", "cursor", id=writing.message, fence=writing.fence)
    [changed, caught_up] = await ann.replays(session, added["cursor"])
    assert (changed["__typename"], changed["message"]["text"]) == ("MessageChanged", "all of it")
    assert caught_up["cursor"] == payload["cursor"]


START = """mutation ($input: StartMessageInput!, $key: String!) {
  startMessage(input: $input) @idempotent(key: $key) { fence message { id text } cursor errors { code } } }"""
EXTEND = """mutation ($input: ExtendMessageInput!, $key: String!) {
  extendMessage(input: $input) @idempotent(key: $key) { message { id text } cursor errors { code } } }"""
FINISH = """mutation ($input: FinishMessageInput!, $key: String!) {
  finishMessage(input: $input) @idempotent(key: $key) { message { id status text } cursor errors { code } } }"""


async def test_each_step_runs_once_under_an_idempotency_key(ann):
    session = await ann.creates_session()

    async def twice(document, **given):
        first, second = [await ann.responds(document, input=given, key=document[:30]) for _ in range(2)]
        assert (first["data"], second["extensions"]["idempotency"]) == (second["data"], {"replayed": True})
        [payload] = first["data"].values()
        assert payload["errors"] == []
        return payload

    started = await twice(START, sessionId=session)
    known = {"id": started["message"]["id"], "fence": started["fence"]}
    extended = await twice(EXTEND, **known, offset=0, text="once")
    assert extended["message"]["text"] == "once"
    assert (await twice(FINISH, **known))["message"] == {"id": known["id"], "status": "COMPLETE", "text": "once"}
    assert (await ann.sees(session, "messageCount"))["messageCount"] == 1
