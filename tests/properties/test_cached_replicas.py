"""Two replicas with the session cache answer as a third one without it, whatever is written and read in between."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from orjson import Fragment

from app import main
from app.db.reading.session_cache import SessionCache
from app.schema.encoded_page import EncodedPage
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.streaming import extends, finishes, starts

MESSAGE = "id sequence role status text createdAt agent { key agent { id name } }"
PAGES = """
  session(id: $id) {
    title messageCount lastMessage { MESSAGE } agents(first: 3) { nodes { key } totalCount }
    newest: messages(last: 3) {
      edges { cursor node { MESSAGE } } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
    oldest: messages(first: 2) { nodes { MESSAGE } pageInfo { hasNextPage hasPreviousPage } }
    users: messages(last: 2, filter: {role: [USER]}) { nodes { text } totalCount }
    guides: messages(last: 2, filter: {agentKey: "guide"}) { nodes { text } }
    complete: messages(last: 2, filter: {status: [COMPLETE]}) { nodes { text } }
  }
  sessions(first: 3, orderBy: {field: CREATED_AT, direction: ASC}) { nodes { id lastMessage { MESSAGE } } }
"""
FULL = """
  session(id: $id) {
    messages(last: 3) { nodes { MESSAGE metadata revision updatedAt redactedAt } }
    agents(first: 3) { nodes { key state revision agent { name } } }
  }
  sessions(first: 2) { nodes { title lastMessage { text } } }
"""
# Its rows are partial, so that an unchanged list comes with the catalogue's agents.
LISTED = "session(id: $id) { title } sessions(first: 3) { nodes { id title lastMessage { MESSAGE } } }"
QUERIES = [f"query ($id: ID!) {{ {fields.replace('MESSAGE', MESSAGE)} }}" for fields in (PAGES, FULL, LISTED)]
REPLICAS = st.integers(0, 1)
PLACES = st.integers(1, 4)
KINDS = ["append", "update", "redact", "delete", "agent", "rename", "archive", "catalogue", "erase"]
KINDS += ["stream", "extend", "finish"]
WRITES = st.tuples(st.sampled_from(KINDS), REPLICAS, PLACES)
READS = st.tuples(st.just("read"), REPLICAS, PLACES)
STEPS = st.lists(READS | WRITES, min_size=4, max_size=16)
# Random steps seldom read a page, its agent of the catalogue included, often enough before that agent changes.
CATALOGUE = [("agent", 0, 2), *[("read", 0, 1)] * 3, ("catalogue", 0, 1), ("read", 0, 1), ("catalogue", 1, 1)]
QUICK = settings(max_examples=settings().max_examples // 6, phases=[Phase.explicit, Phase.reuse, Phase.generate])


class Deaf(SessionCache):
    """Gets no wake-ups: answers may depend on heads only."""

    def changed(self, owner, session_id, revision):
        pass

    def clear(self):
        pass


class IgnoresHead(Deaf):
    """Broken on purpose."""

    def session(self, owner, session_id, head, postgres_started):
        return super().session(owner, session_id, 0, postgres_started)


@asynccontextmanager
async def three_replicas(database_url, cache):
    """Two servers with this class of cache, and one without a cache; and the caches of the two."""
    caches = []

    def made(max_bytes):
        caches.append(cache(max_bytes))
        return caches[-1]

    async with AsyncExitStack() as stack:
        servers = []
        for size in (2**26, 2**26, 0):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(main, "SessionCache", made)
                server = serving(settings_for(database_url, session_cache_bytes=size, pool_size=3))
                servers.append(await stack.enter_async_context(server))
        yield servers, caches


class Story:
    """One owner's session, written and read on the replicas."""

    def __init__(self, servers):
        name = f"ann-{uuid4().hex[:12]}"
        self.users = [server.user(name) for server in servers]
        self.stranger = servers[0].user(f"bob-{uuid4().hex[:12]}")
        self.streams = []

    async def begin(self):
        ann = self.users[0]
        self.catalogue_id = (await ann.does("createAgent", "agent { id }", name="0", type="t"))["agent"]["id"]
        self.session = await ann.creates_session("first")
        for number in range(3):
            await ann.appends(self.session, f"{number}", agentKey=["guide", None, "judge"][number])

    async def play(self, steps):
        """Plays the steps; after each, a replica with the cache has to answer as that without."""
        await self.begin()
        for number, (kind, replica, place) in enumerate(steps):
            if kind != "read":
                before = asyncio.gather(*map(self.read, self.users[:2]))  # during the write
                await getattr(self, kind)(self.users[replica], f"{number}", place)
                await before
            await self.compare(replica)
        await self.compare(0)
        await self.compare(1)
        assert (await self.read(self.stranger))[0]["session"] is None

    async def compare(self, replica):
        uncached, *cached = [await self.read(self.users[which]) for which in (2, replica, replica, replica)]
        assert cached == [uncached] * 3

    async def read(self, user):
        return [await user.asks(query, id=self.session) for query in QUERIES]

    async def append(self, ann, text, place):
        await ann.appends(self.session, text, ["USER", "ASSISTANT"][place % 2], agentKey=["guide", None][place // 3])

    async def message(self, ann, place):
        selection = "message(sequence: $n) { id }"
        query = f"query ($id: ID!, $n: Int!) {{ session(id: $id) {{ {selection} }} }}"
        found = (await ann.asks(query, id=self.session, n=place))["session"]
        return found and found["message"] and found["message"]["id"]

    async def update(self, ann, text, place):
        if message := await self.message(ann, place):
            await ann.does("updateMessage", id=message, text=text)

    async def redact(self, ann, _, place):
        if message := await self.message(ann, place):
            await ann.does("redactMessage", id=message, text="[removed]")

    async def delete(self, ann, _, place):
        if message := await self.message(ann, place):
            await ann.does("deleteMessage", id=message)

    async def agent(self, ann, text, place):
        key = ["guide", "judge"][place % 2]
        await ann.does("putSessionAgent", sessionId=self.session, key=key, state={"n": text}, agentId=self.catalogue_id)

    async def rename(self, ann, text, _):
        await ann.does("updateSession", id=self.session, title=text)

    async def archive(self, ann, _, __):
        await ann.does("archiveSession", id=self.session)

    async def catalogue(self, ann, text, _):
        await ann.does("updateAgent", id=self.catalogue_id, name=text)

    async def stream(self, ann, _, __):
        self.streams.append(await starts(ann, self.session, agentKey="guide"))

    async def extend(self, ann, text, _):
        if self.streams:
            await extends(ann, self.streams[-1], 0, text)

    async def finish(self, ann, _, __):
        if self.streams:
            await finishes(ann, self.streams[-1])

    async def erase(self, ann, _, __):
        await ann.does("deleteSession", id=self.session, mode="HARD")
        assert [(await self.read(user))[0]["session"] for user in self.users] == [None, None, None]
        self.session, self.streams = await ann.creates_session("next"), []


async def check(servers, shape=QUICK):
    loop = asyncio.get_running_loop()

    @shape
    @given(STEPS)
    @example(CATALOGUE)
    def interleaving(steps):
        asyncio.run_coroutine_threadsafe(Story(servers).play(steps), loop).result(60)

    await asyncio.to_thread(interleaving)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("cache", [SessionCache, Deaf])
async def test_replicas_answer_as_without_a_cache(database_url, cache):
    async with three_replicas(database_url, cache) as (servers, caches):
        await check(servers)
        assert all(each.hits > each.misses > 0 for each in caches)


@pytest.mark.timeout(600)
async def test_encoded_pages_that_ignore_the_catalogue_are_found_out(database_url, monkeypatch):
    async def unchanged(_, json, __):
        return Fragment(json)

    monkeypatch.setattr(EncodedPage, "_unless_changed", unchanged)
    async with three_replicas(database_url, SessionCache) as (servers, _):
        with pytest.raises(AssertionError):
            await check(servers, settings(QUICK, database=None, print_blob=False))


@pytest.mark.timeout(600)
async def test_a_cache_that_ignores_the_head_is_found_out(database_url):
    async with three_replicas(database_url, IgnoresHead) as (servers, _):
        with pytest.raises(AssertionError):
            await check(servers, settings(QUICK, database=None, print_blob=False))
