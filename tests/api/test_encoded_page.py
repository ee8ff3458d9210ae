"""Pages whose JSON is used again: every change shows at once, that of a catalogue's agent too."""

import pytest

from app import main
from app.db.reading.session_cache import SessionCache
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.streaming import extends, starts

PAGE = (
    "messages(last: 5) { nodes { id text createdAt metadata agent { key agent { id name } } } pageInfo { endCursor } }"
)
LIST = "{ sessions { nodes { id title messageCount lastMessage { text agent { key agent { id name } } } } } }"
UNCOVERED = "messages(last: 5) { totalCount nodes { text agent { agent { name } } } }"
READS = 5  # the first two are not compiled; a page is kept at the second, its JSON at the third


@pytest.fixture
async def cached(database_url, monkeypatch):
    """A server and its cache."""
    caches = []

    class Visible(SessionCache):
        def __init__(self, max_bytes):
            super().__init__(max_bytes)
            caches.append(self)

    monkeypatch.setattr(main, "SessionCache", Visible)
    async with serving(settings_for(database_url)) as server:
        yield server, caches[0]


def encoded(cache):
    """The selections of which JSON is kept, each with what is kept of its session."""
    return [
        (kept, what)
        for kept in cache._sessions.values()
        for what, (value, _) in kept.entries.items()
        if "json" in what and value
    ]


def forges(cache):
    """Puts other JSON in place of the only one."""
    [(kept, what)] = encoded(cache)
    (_, rows, agents), size = kept.entries[what]
    kept.entries[what] = (b'"forged"', rows, agents), size


async def fills(user):
    """A session with a message of an agent of the catalogue, and one without; and that agent."""
    session = await user.creates_session("s")
    agent = (await user.does("createAgent", "agent { id }", name="Guide", type="t"))["agent"]["id"]
    await user.does("putSessionAgent", sessionId=session, key="guide", agentId=agent)
    await user.appends(session, "by the guide", agentKey="guide")
    await user.appends(session, "alone")
    return session, agent


async def reads(user, session, selection=PAGE):
    """What every one of some reads returns."""
    seen = [await user.sees(session, selection) for _ in range(READS)]
    assert seen == [seen[0]] * READS
    return seen[0]["messages"]["nodes"]


async def test_an_unchanged_page_is_returned_as_it_was_encoded(cached, ann, bob):
    server, cache = cached
    owner, stranger = server.user(ann.name), server.user(bob.name)
    session, agent = await fills(owner)
    first, second = await reads(owner, session)
    assert first["agent"] == {"key": "guide", "agent": {"id": agent, "name": "Guide"}}
    assert (second["text"], second["agent"]) == ("alone", None)
    forges(cache)
    assert await owner.sees(session, PAGE) == {"messages": "forged"}
    assert [await stranger.sees(session, PAGE) for _ in range(READS)] == [None] * READS


async def test_an_unchanged_list_is_returned_as_it_was_encoded(cached, ann, bob):
    server, cache = cached
    owner, stranger = server.user(ann.name), server.user(bob.name)
    session, agent = await fills(owner)
    other, _ = await fills(owner)
    await owner.appends(session, "by the guide", agentKey="guide")
    seen = [await owner.asks(LIST) for _ in range(2 * READS)]
    assert seen == [seen[0]] * (2 * READS)
    nodes = seen[0]["sessions"]["nodes"]
    assert [node["id"] for node in nodes] == [session, other]
    assert nodes[0]["lastMessage"]["agent"] == {"key": "guide", "agent": {"id": agent, "name": "Guide"}}
    forges(cache)
    assert await owner.asks(LIST) == {"sessions": "forged"}
    assert (await stranger.asks(LIST))["sessions"]["nodes"] == []


@pytest.mark.parametrize("change", ["title", "message", "agent", "other session"])
async def test_a_change_in_a_list_shows_at_once(cached, ann, change):
    server, cache = cached
    owner = server.user(ann.name)
    session, agent = await fills(owner)
    await owner.appends(session, "by the guide", agentKey="guide")
    for _ in range(2 * READS):
        await owner.asks(LIST)
    assert len(encoded(cache)) == 1
    match change:
        case "title":
            await owner.does("updateSession", id=session, title="changed")
        case "message":
            await owner.appends(session, "changed")
        case "agent":
            await owner.does("updateAgent", id=agent, name="changed")
        case "other session":
            await owner.creates_session("changed")
    assert len(encoded(cache)) == (change == "agent")
    assert "changed" in f"{await owner.asks(LIST)}"


@pytest.mark.parametrize("fields", ["", "metadata createdAt"], ids=["partial rows", "full rows"])
async def test_the_agents_in_a_list_are_those_of_the_catalogue(cached, ann, bob, fields):
    server, _ = cached
    owner, stranger = server.user(ann.name), server.user(bob.name)
    wanted = LIST.replace("title", f"title {fields}")
    session, agent = await fills(owner)
    other, deleted = await fills(owner)
    for listed in session, other:
        await owner.appends(listed, "by the guide", agentKey="guide")

    async def names():
        found = [(await owner.asks(wanted))["sessions"]["nodes"] for _ in range(2 * READS)]
        assert found == [found[0]] * (2 * READS)
        return [node["lastMessage"]["agent"] and node["lastMessage"]["agent"]["agent"] for node in found[0]]

    assert await names() == [{"id": deleted, "name": "Guide"}, {"id": agent, "name": "Guide"}]
    await owner.does("updateAgent", id=agent, name="Renamed")
    await owner.does("deleteAgent", id=deleted)
    assert await names() == [None, {"id": agent, "name": "Renamed"}]
    await owner.does("putSessionAgent", sessionId=other, key="guide", agentId=agent)
    assert await names() == [{"id": agent, "name": "Renamed"}] * 2
    await owner.appends(other, "alone")
    assert await names() == [None, {"id": agent, "name": "Renamed"}]
    assert (await stranger.asks(wanted))["sessions"]["nodes"] == []
    for listed in session, other:
        await owner.does("deleteSession", id=listed)
    assert await names() == []


async def test_text_that_grows_shows_at_once(cached, ann):
    server, cache = cached
    owner = server.user(ann.name)
    session = await owner.creates_session("s")
    writing = await starts(owner, session)
    for offset, letter in enumerate("abc"):
        await extends(owner, writing, offset, letter)
        for _ in range(2 * READS):
            page = await owner.sees(session, "messages { nodes { text } }")
            listed = await owner.asks("{ sessions { nodes { lastMessage { text } } } }")
            text = "abc"[: offset + 1]
            assert page["messages"]["nodes"] == [{"text": text}]
            assert listed["sessions"]["nodes"] == [{"lastMessage": {"text": text}}]
    assert encoded(cache) == []


async def test_a_change_of_the_session_shows_at_once(cached, ann):
    server, cache = cached
    owner = server.user(ann.name)
    session, _ = await fills(owner)
    [first, _] = await reads(owner, session)
    await owner.does("updateMessage", id=first["id"], text="edited")
    assert encoded(cache) == []
    assert [node["text"] for node in await reads(owner, session)] == ["edited", "alone"]


async def test_a_change_of_the_catalogue_shows_at_once(cached, ann):
    server, cache = cached
    owner = server.user(ann.name)
    session, agent = await fills(owner)
    await reads(owner, session)
    await owner.does("updateAgent", id=agent, name="Renamed")
    assert (await reads(owner, session))[0]["agent"]["agent"]["name"] == "Renamed"
    await owner.does("deleteAgent", id=agent)
    assert (await reads(owner, session))[0]["agent"] == {"key": "guide", "agent": None}
    assert len(encoded(cache)) == 1


async def test_what_a_head_does_not_cover_is_not_kept(cached, ann):
    server, cache = cached
    owner = server.user(ann.name)
    session, _ = await fills(owner)
    await reads(owner, session, UNCOVERED)
    assert cache.hits
    assert encoded(cache) == []


async def test_each_selection_is_encoded_by_itself(cached, ann):
    server, cache = cached
    owner = server.user(ann.name)
    session, _ = await fills(owner)
    assert set((await reads(owner, session, "messages { nodes { text } }"))[0]) == {"text"}
    assert set((await reads(owner, session, "messages { nodes { role } }"))[0]) == {"role"}
    assert len(encoded(cache)) == 2


async def test_the_end_of_a_list_moves_at_once(cached, ann):
    server, cache = cached
    owner = server.user(ann.name)
    for title in ("first", "second"):
        await ann.creates_session(title)
    oldest = """{ sessions(first: 2, orderBy: {field: CREATED_AT, direction: ASC}) {
        nodes { title lastMessage { text } } pageInfo { hasNextPage } } }"""
    for _ in range(READS + 1):
        assert (await owner.asks(oldest))["sessions"]["pageInfo"] == {"hasNextPage": False}
    assert encoded(cache)
    await ann.creates_session("third")  # at another server, whose wake-up may not have come
    assert (await owner.asks(oldest))["sessions"]["pageInfo"] == {"hasNextPage": True}
