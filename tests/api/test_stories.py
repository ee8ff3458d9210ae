"""Short stories through the public API: an owner, a stranger, a real server."""

import pytest

from tests.support.users import Refusal, error


async def test_only_the_owner_appends_to_a_session(ann, bob):
    session = await ann.creates_session("Plan")
    assert await ann.appends(session, "hello") == {"sequence": 1, "text": "hello"}
    assert await bob.appends(session, "hi") == error("NOT_FOUND", field="sessionId")


async def test_only_the_owner_reads_messages_in_order(ann, bob):
    session = await ann.creates_session()
    for text in ("one", "two", "three"):
        await ann.appends(session, text)
    selection = "title status messageCount messages { nodes { sequence text } }"
    assert await ann.sees(session, selection) == {
        "title": "one",
        "status": "ACTIVE",
        "messageCount": 3,
        "messages": {"nodes": [{"sequence": n, "text": text} for n, text in enumerate(("one", "two", "three"), 1)]},
    }
    assert await bob.sees(session, selection) is None


async def test_only_the_owner_subscribes_to_live_messages(ann, bob):
    session = await ann.creates_session("Live")
    async with ann.follows(session) as events:
        await events.until("CaughtUp")
        await ann.appends(session, "now", role="ASSISTANT", agentKey="guide")
        seen = await events.until("MessageAdded")
    assert [event["__typename"] for event in seen] == ["SessionAgentChanged", "SessionChanged", "MessageAdded"]
    assert seen[-1]["message"]["text"] == "now"
    with pytest.raises(Refusal, match="NOT_FOUND"):
        await bob.replays(session)
