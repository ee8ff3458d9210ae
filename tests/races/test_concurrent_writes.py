"""Races of appends with deletions, and of edits, agents' states, and sessions with keys."""

import asyncio
from collections import Counter

import pytest

from tests.support.users import Refusal

MANY = 32


def outcomes(payloads):
    """How often each code came; `done` for payloads without errors."""
    return Counter(payload["errors"][0]["code"] if payload["errors"] else "done" for payload in payloads)


async def test_an_append_during_an_erasure_leaves_no_orphan(ann):
    """The check after every race would find a message of an erased session."""
    rounds = Counter()
    for number in range(12):
        session = await ann.creates_session()
        await ann.appends(session, "before", agentKey="guide")
        erasure = ann.does("deleteSession", "deletedId", id=session, mode="HARD")
        message = {"role": "USER", "text": "now"}
        batch = [message, message | {"agentKey": f"new {number}"}]
        writes = [
            *(ann.does("appendMessage", sessionId=session, message=message) for _ in range(3)),
            *(ann.does("appendMessages", sessionId=session, messages=batch) for _ in range(3)),
            *(ann.does("putSessionAgent", sessionId=session, key=f"{n}", state={"n": n}) for n in range(3)),
        ]
        index = number % len(writes)
        answers = await asyncio.gather(*writes[:index], erasure, *writes[index:])
        assert answers.pop(index)["deletedId"] == session
        rounds += outcomes(answers)
        assert await ann.sees(session, "id") is None
        with pytest.raises(Refusal, match="NOT_FOUND"):
            await ann.replays(session)
    assert set(rounds) == {"done", "NOT_FOUND"}  # both outcomes, so it was a race


async def test_an_append_during_a_soft_deletion_is_before_it_or_refused(ann):
    session = await ann.creates_session()
    for _ in range(8):
        message = {"role": "USER", "text": "now"}
        appends = [ann.does("appendMessage", sessionId=session, message=message) for _ in range(4)]
        before = (await ann.sees(session, "messageCount"))["messageCount"]
        first, second, deletion, *rest = await asyncio.gather(
            *appends[:2], ann.does("deleteSession", id=session), *appends[2:]
        )
        assert deletion["errors"] == []
        stored = outcomes([first, second, *rest])["done"]
        seen = await ann.sees(session, "messageCount deletedAt")
        assert seen["deletedAt"] is not None
        assert seen["messageCount"] == before + stored
        await ann.does("restoreSession", id=session)


async def test_archiving_during_appends_loses_no_message(ann):
    session = await ann.creates_session()
    for _ in range(5):
        both = [(ann.does("archiveSession", id=session), ann.appends(session, "back")) for _ in range(6)]
        await asyncio.gather(*(write for pair in both for write in pair))
    assert (await ann.sees(session, "messageCount"))["messageCount"] == 30
    await ann.appends(session, "last")
    assert (await ann.sees(session, "archivedAt status"))["archivedAt"] is None


async def test_of_edits_that_expect_one_revision_exactly_one_wins(ann):
    session = await ann.creates_session()
    message = {"role": "USER", "text": "draft"}
    sent = await ann.does("appendMessage", "message { id revision }", sessionId=session, message=message)
    message_id, revision = sent["message"]["id"], sent["message"]["revision"]
    for _ in range(4):
        edits = [
            ann.does(
                "updateMessage", "message { text revision }", id=message_id, text=f"by {n}", expectedRevision=revision
            )
            for n in range(MANY)
        ]
        payloads = await asyncio.gather(*edits)
        assert outcomes(payloads) == {"done": 1, "CONFLICT": MANY - 1}
        [winner] = [payload["message"] for payload in payloads if not payload["errors"]]
        current = {payload["errors"][0]["currentRevision"] for payload in payloads if payload["errors"]}
        assert current == {winner["revision"]}
        revision = winner["revision"]
    assert (await ann.sees(session, "lastMessage { text }"))["lastMessage"] == {"text": winner["text"]}


async def test_of_renames_that_expect_one_revision_exactly_one_wins(ann):
    session = await ann.creates_session("as it was")
    revision = (await ann.sees(session, "revision"))["revision"]
    renames = [
        ann.does("updateSession", "session { title }", id=session, title=f"{n}", expectedRevision=revision)
        for n in range(MANY)
    ]
    appends = [ann.appends(session, "meanwhile", role="ASSISTANT") for _ in range(4)]
    await ann.appends(session, "first")  # makes the session ACTIVE, which takes a revision
    payloads = (await asyncio.gather(*renames, *appends))[:MANY]
    assert outcomes(payloads) == {"CONFLICT": MANY}
    revision = (await ann.sees(session, "revision"))["revision"]
    renames = [
        ann.does("updateSession", "session { title }", id=session, title=f"{n}", expectedRevision=revision)
        for n in range(MANY)
    ]
    payloads = (await asyncio.gather(*renames, *(ann.appends(session, "meanwhile") for _ in range(4))))[:MANY]
    assert outcomes(payloads) == {"done": 1, "CONFLICT": MANY - 1}


async def test_of_session_agents_with_one_key_exactly_one_is_created(ann):
    session = await ann.creates_session()
    puts = [
        ann.does("putSessionAgent", "sessionAgent { revision }", sessionId=session, key="k", mode="CREATE", state=[n])
        for n in range(MANY)
    ]
    payloads = await asyncio.gather(*puts)
    assert outcomes(payloads) == {"done": 1, "CONFLICT": MANY - 1}


async def test_concurrent_upserts_of_an_agent_leave_the_newest_state(ann):
    session = await ann.creates_session()
    puts = [
        ann.does("putSessionAgent", "sessionAgent { revision state }", sessionId=session, key="k", state={"by": n})
        for n in range(MANY)
    ]
    payloads = await asyncio.gather(*puts)
    assert outcomes(payloads) == {"done": MANY}
    parts = [payload["sessionAgent"] for payload in payloads]
    assert len({part["revision"] for part in parts}) == MANY
    newest = max(parts, key=lambda part: part["revision"])
    assert (await ann.sees(session, 'agent(key: "k") { revision state }'))["agent"] == newest


async def test_of_sessions_with_one_key_exactly_one_is_created(ann, bob):
    creations = [
        user.does("createSession", "session { id }", key="mine", title=f"{n}")
        for n in range(MANY)
        for user in (ann, bob)
    ]
    payloads = await asyncio.gather(*creations)
    for whose in (payloads[::2], payloads[1::2]):
        assert outcomes(whose) == {"done": 1, "CONFLICT": MANY - 1}
    for user in (ann, bob):
        found = await user.asks('{ session(key: "mine") { id } sessions { totalCount } }')
        assert found["sessions"] == {"totalCount": 1}


async def test_the_unread_count_is_right_after_concurrent_appends_and_marks(ann):
    session = await ann.creates_session()
    writes = []
    for number in range(1, 17):
        writes += [
            ann.appends(session, "question"),
            ann.appends(session, "answer", role="ASSISTANT"),
            ann.does("markSessionRead", id=session, upToSequence=number),
        ]
    await asyncio.gather(*writes)
    seen = await ann.sees(session, "lastReadSequence unreadCount messages(last: 100) { nodes { sequence role } }")
    unread = [m for m in seen["messages"]["nodes"] if m["sequence"] > seen["lastReadSequence"] and m["role"] != "USER"]
    assert seen["unreadCount"] == len(unread)


async def test_concurrent_deletions_of_a_message_count_once(ann):
    session = await ann.creates_session()
    message = {"role": "ASSISTANT", "text": "x"}
    sent = await ann.does("appendMessage", "message { id }", sessionId=session, message=message)
    payloads = await asyncio.gather(*(ann.does("deleteMessage", id=sent["message"]["id"]) for _ in range(8)))
    assert outcomes(payloads) == {"done": 1, "NOT_FOUND": 7}
    assert await ann.sees(session, "messageCount unreadCount") == {"messageCount": 0, "unreadCount": 0}
