"""The session cache behind the API: what was erased or redacted leaves it at once, on other replicas by wake-up."""

import asyncio

import pytest

from app import main
from app.db.reading.session_cache import SessionCache
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.streaming import extends, starts

PAGE = "messages(last: 5) { nodes { text } } lastMessage { text }"


@pytest.fixture
async def replicas(database_url, monkeypatch):
    """Two servers, each with its cache."""
    caches = []

    class Visible(SessionCache):
        def __init__(self, max_bytes):
            super().__init__(max_bytes)
            caches.append(self)

    monkeypatch.setattr(main, "SessionCache", Visible)
    async with serving(settings_for(database_url)) as one, serving(settings_for(database_url)) as other:
        yield [(one, caches[0]), (other, caches[1])]


def holds(cache, text):
    return any(text in repr(session.entries) for session in cache._sessions.values())


async def leaves(cache, text):
    async with asyncio.timeout(5):
        while holds(cache, text):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["redaction", "deletion", "erasure"])
async def test_removed_content_leaves_both_caches(replicas, ann, how):
    (one, here), (other, there) = replicas
    writer, reader = one.user(ann.name), other.user(ann.name)
    session = await writer.creates_session("s")
    selection = "message { id }"
    message = {"role": "USER", "text": "a secret"}
    sent = await writer.does("appendMessage", selection, sessionId=session, message=message)
    for user in (writer, reader) * 2:
        await user.sees(session, PAGE)
    assert holds(here, "a secret")
    assert holds(there, "a secret")
    match how:
        case "redaction":
            await writer.does("redactMessage", id=sent["message"]["id"], text="[removed]")
        case "deletion":
            await writer.does("deleteMessage", id=sent["message"]["id"])
        case "erasure":
            await writer.does("deleteSession", id=session, mode="HARD")
    assert not holds(here, "a secret")
    await leaves(there, "a secret")


async def test_a_stranger_gets_nothing_that_the_cache_holds(replicas, ann, bob):
    (one, here), _ = replicas
    owner, stranger = one.user(ann.name), one.user(bob.name)
    session = await owner.creates_session("s")
    await owner.appends(session, "a secret")
    for _ in range(3):
        await owner.sees(session, PAGE)
    assert here.hits
    assert await stranger.sees(session, PAGE) is None


async def test_a_message_that_is_being_written_is_not_kept(replicas, ann):
    (one, here), _ = replicas
    owner = one.user(ann.name)
    session = await owner.creates_session("s")
    writing = await starts(owner, session)
    for offset, letter in enumerate("abc"):
        await extends(owner, writing, offset, letter)
        for _ in range(2):
            seen = await owner.sees(session, PAGE)
            assert seen["lastMessage"]["text"] == "abc"[: offset + 1]
    assert here.misses
    assert here.hits == 0


async def test_the_metrics_count_the_cache(replicas, ann):
    (one, here), _ = replicas
    owner = one.user(ann.name)
    session = await owner.creates_session("s")
    for _ in range(3):
        await owner.sees(session, PAGE)
    lines = (await one.http.get(f"{one.url}/metrics")).text.splitlines()
    counts = {"hits": here.hits, "misses": here.misses, "evictions": 0, "rejections": 1}
    assert min(here.hits, here.misses, here.bytes) > 0
    for name, count in counts.items():
        assert f'colloquy_session_cache_total{{what="{name}"}} {count}.0' in lines
    assert f"colloquy_session_cache_bytes {here.bytes}.0" in lines


async def test_without_the_setting_nothing_is_kept(database_url, ann):
    async with serving(settings_for(database_url, session_cache_bytes=0)) as server:
        owner = server.user(ann.name)
        session = await owner.creates_session("s")
        assert [await owner.sees(session, PAGE) for _ in range(2)] == [
            {"messages": {"nodes": []}, "lastMessage": None}
        ] * 2
        assert "colloquy_session_cache_total" not in (await server.http.get(f"{server.url}/metrics")).text
