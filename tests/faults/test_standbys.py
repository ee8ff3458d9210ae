"""Reads on standbys: nobody reads less than anybody has written or seen, whatever becomes of the standbys."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from app.db.access import standbys as access
from app.db.access.standby import Standby
from app.db.operations import migrate, row_policies
from harness.pgbouncer import pgbouncer
from harness.postgres import SERVER_ROLE
from harness.replication import replicated
from harness.server_settings import settings_for
from tests.faults.test_failover import written
from tests.support.servers import serving

READ = "messageCount eventCursor messages(last: 100) { nodes { text } }"
SEARCH = 'query ($id: ID!) { searchMessages(query: "needle", filter: {sessionId: $id}) { nodes { text } } }'
PLACES = st.integers(0, 2)
STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "race", "race"]), PLACES, PLACES)
    | st.tuples(st.just("lag"), st.sampled_from([0, 5, 40, 300]), st.none()),
    min_size=4,
    max_size=14,
)
LATE = [("lag", 300, None), ("write", 0, 1), ("write", 1, 1), ("race", 0, 2)]
UNCHANGED = [*[("lag", 5, None)] * 3, ("write", 2, 1), ("write", 1, 1)]
LIST = "{ sessions(first: 2) { nodes { id title lastMessage { text } } } }"
QUICK = settings(max_examples=settings().max_examples // 8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("faults")]


@pytest.fixture
async def group(request, monkeypatch):
    """A migrated primary with so many standbys, which are tried often."""
    monkeypatch.setattr(access, "PROBE_SECONDS", 0.05)
    async with replicated(standbys=getattr(request, "param", 1), synchronous=False) as group:
        await asyncio.to_thread(migrate.upgrade, group.url)
        await group.caught_up()
        yield group


def reading_on(group, *standbys, **changes):
    """A server that reads on these standbys, by default on all."""
    urls = tuple(node.url for node in standbys or group.standbys)
    return serving(settings_for(group.url, database_replica_urls=urls, **changes))


async def outcomes(server):
    """How many reads went to a standby, and why others did not."""
    lines = (await server.http.get(f"{server.url}/metrics")).text.splitlines()
    found = [line for line in lines if line.startswith("colloquy_standby_reads_total{")]
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in found}


async def left(server):
    """What `/readyz` lists of standbys."""
    answer = await server.http.get(f"{server.url}/readyz")
    assert answer.status_code == 200
    return [line for line in answer.json()["degraded"] if line.startswith("standby")]


async def until_left(server, words):
    while not any(words in line for line in await left(server)):
        await asyncio.sleep(0.02)


async def texts(user, session):
    """The texts of the messages. The count and the cursor are read before them, so they promise no message more."""
    found = await user.sees(session, READ)
    assert found is not None
    shown = [node["text"] for node in found["messages"]["nodes"]]
    assert found["messageCount"] <= len(shown)
    return shown


WAYS = [
    {},
    {"statement_cache": 0},
    {"database_role": SERVER_ROLE},
    {"database_role": SERVER_ROLE, "statement_cache": 0},
]


@pytest.mark.parametrize("changes", WAYS, ids=lambda changes: ",".join(changes) or "default")
async def test_queries_of_an_owner_are_answered_by_a_standby(group, changes):
    await asyncio.to_thread(row_policies.secure, group.url, SERVER_ROLE)
    async with reading_on(group, **changes) as server:
        await server.ready()
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session("Title")
        for number in range(3):
            await ann.appends(session, f"needle {number}")
        before = await outcomes(server)
        assert await texts(ann, session) == ["needle 0", "needle 1", "needle 2"]
        [*found] = (await ann.asks(SEARCH, id=session))["searchMessages"]["nodes"]
        assert len(found) == 3
        audit = "{ auditEvents(first: 5) { nodes { eventType } } sessions(first: 5) { nodes { id } } }"
        for user, count in ((ann, 1), (bob, 0)):
            answer = await user.asks(audit)
            assert [len(answer[name]["nodes"]) for name in ("auditEvents", "sessions")] == [count, count]
        assert await bob.sees(session, READ) is None
        changed = {name: count - before[name] for name, count in (await outcomes(server)).items()}
        assert changed.pop("standby") >= 8
        assert set(changed.values()) == {0}
        await ann.asks("{ viewer { stats { sessionCount } eventCursor } }")
        assert (await outcomes(server))["primary_only"] == 1


async def test_a_standby_behind_a_transaction_pooler_is_read(group):
    with pgbouncer(group.standbys[0].url, size=2) as pooled:
        settings = settings_for(group.url, database_replica_urls=(pooled,), statement_cache=0)
        async with serving(settings) as server:
            await server.ready()
            ann, bob = server.user("ann"), server.user("bob")
            session = await ann.creates_session()
            for number in range(5):
                await ann.appends(session, f"{number}")
                found = await asyncio.gather(*(texts(ann, session) for _ in range(8)))
                assert found == [[f"{each}" for each in range(number + 1)]] * 8
            assert await bob.sees(session, READ) is None
            assert (await outcomes(server))["standby"] >= 40


class Story:
    """One owner's session: written and read on a server without standbys and on two with one that lags at times."""

    def __init__(self, group, servers):
        name = f"ann-{uuid4().hex[:12]}"
        self.group, self.users = group, [server.user(name) for server in servers]
        self.stranger = servers[1].user(f"bob-{uuid4().hex[:12]}")
        self.written = []

    async def play(self, steps):
        self.session = await self.users[0].creates_session()
        for kind, *arguments in steps:
            await getattr(self, kind)(*arguments)
            for user in self.users:
                assert await texts(user, self.session) == self.written
                [listed] = (await user.asks(LIST))["sessions"]["nodes"]
                assert (listed["lastMessage"] or {}).get("text") == (None, *self.written)[-1]
        assert await self.stranger.sees(self.session, READ) is None

    async def lag(self, milliseconds, _):
        setting = f"alter system set recovery_min_apply_delay = '{milliseconds}ms'"
        [standby] = self.group.standbys
        await standby.execute(setting, "select pg_reload_conf()")

    async def write(self, place, _):
        self.written.append(f"{len(self.written)}")
        await self.users[place].appends(self.session, self.written[-1])

    async def race(self, place, other):
        """Reads on all servers in turn while one writes: what one read has shown, the next one shows too."""
        writing = asyncio.create_task(self.write(place, None))
        seen = [[]]
        while not writing.done():
            seen.append(await texts(self.users[other], self.session))
            other = (other + 1) % 3
        await writing
        for before, after in pairwise(seen):
            assert after[: len(before)] == before


async def check(group):
    """Plays stories; returns where the reads of both servers with the standby went."""
    async with AsyncExitStack() as stack:
        launched = serving(settings_for(group.url)), reading_on(group), reading_on(group, session_cache_bytes=0)
        servers = [await stack.enter_async_context(server) for server in launched]
        for server in servers:
            await server.ready()
        loop = asyncio.get_running_loop()

        @QUICK
        @given(STEPS)
        @example(LATE + UNCHANGED)
        def interleaving(steps):
            asyncio.run_coroutine_threadsafe(Story(group, servers).play(steps), loop).result(60)

        await asyncio.to_thread(interleaving)
        return [await outcomes(server) for server in servers[1:]]


async def test_nobody_reads_less_than_was_written_or_seen_on_a_standby_that_lags(group):
    for found in await check(group):
        assert 0 < found["standby"] < sum(found.values())


async def test_reads_that_do_not_wait_for_the_standby_are_found_out(group, monkeypatch):
    reach = Standby._reach
    monkeypatch.setattr(Standby, "_reach", lambda self, driver, needed: reach(self, driver, needed._replace(written=0)))
    with pytest.raises(AssertionError):
        await check(group)


@pytest.mark.parametrize("group", [2], indirect=True)
async def test_lists_are_kept_although_their_owners_read_on_different_standbys(group):
    async with reading_on(group) as server:
        await server.ready()
        names = [next(name for name in map(str, range(100)) if hash(name) % 2 == place) for place in range(2)]
        users, expected, found = [server.user(name) for name in names], {}, dict.fromkeys(names, 0)
        for user in users:
            session = await user.creates_session(f"of {user.name}")
            await user.appends(session, f"by {user.name}")
            expected[user.name] = [{"id": session, "title": f"of {user.name}"}]
        for _ in range(20):
            for user in users:
                await user.asks("{ sessions(first: 1) { nodes { messages(last: 1) { nodes { text } } } } }")
                before = await server.count('colloquy_session_cache_total{what="hits"}')
                assert (await user.asks("{ sessions(first: 2) { nodes { id title } } }"))["sessions"] == {
                    "nodes": expected[user.name]
                }
                found[user.name] += await server.count('colloquy_session_cache_total{what="hits"}') > before
        assert all(found.values())


@pytest.mark.parametrize("group", [2], indirect=True)
async def test_a_standby_shows_nothing_before_the_primary_does(group):
    """A commit waits for a standby that is gone. The other one has replayed it; the primary does not show it."""
    replica, gone = group.standbys
    async with reading_on(group, replica) as server, serving(settings_for(group.url)) as elsewhere:
        await server.ready()
        ann, there, bob = server.user("ann"), elsewhere.user("ann"), server.user("bob")
        session = await ann.creates_session()
        await require(group.primary, "FIRST 2 (node1, node2)")
        gone.kill()
        writing = asyncio.create_task(there.appends(session, "in doubt"))
        while not await replica.value("select count(*) from messages"):
            await asyncio.sleep(0.01)
        assert await texts(ann, session) == await texts(there, session) == []
        assert await bob.sees(session, READ) is None
        assert (await outcomes(server))["in_doubt"] > 0
        assert not writing.done()
        await require(group.primary, "")
        await writing
        assert await texts(ann, session) == ["in doubt"]
        await server.ready()  # the standby is used again


async def require(primary, standbys):
    """The standbys that a commit waits for."""
    await primary.execute(f"alter system set synchronous_standby_names = '{standbys}'", "select pg_reload_conf()")
    while await primary.value("show synchronous_standby_names") != standbys:
        await asyncio.sleep(0.01)


async def until_used(server, before, read, expected):
    """Reads until a standby answers, as one that lags on a busy machine is left for a moment; each read is right."""
    while True:
        assert await read() == expected
        if (await outcomes(server))["standby"] > before:
            return
        await asyncio.sleep(0.05)


async def test_a_standby_that_is_gone_is_left_and_used_again_when_it_is_back(group):
    [standby] = group.standbys
    async with reading_on(group) as server:
        await server.ready()
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session()
        await ann.appends(session, "before")
        standby.kill()
        assert await texts(ann, session) == ["before"]
        await until_left(server, "cannot be reached")
        await ann.appends(session, "meanwhile")
        assert await texts(ann, session) == ["before", "meanwhile"]
        assert await bob.sees(session, READ) is None
        await asyncio.to_thread(group.rebuild, standby)
        await server.ready()
        before = (await outcomes(server))["standby"]
        await until_used(server, before, lambda: texts(ann, session), ["before", "meanwhile"])


@pytest.mark.parametrize("group", [2], indirect=True)
async def test_a_promoted_standby_is_left_and_the_other_one_follows_it(group):
    async with reading_on(group) as server:
        await server.ready()
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session()
        await ann.appends(session, "before")
        await group.caught_up()
        group.primary.kill()
        await group.fail_over()
        await written(ann, session, "after")
        assert await texts(ann, session) == ["before", "after"]
        await until_left(server, "is not a standby")
        while len(await left(server)) > 1:
            await asyncio.sleep(0.02)
        before = (await outcomes(server))["standby"]
        await until_used(server, before, lambda: texts(ann, session), ["before", "after"])
        assert await bob.sees(session, READ) is None


@pytest.mark.parametrize("group", [2], indirect=True)
async def test_a_standby_with_changes_that_a_failover_lost_is_left(group):
    """Its log is longer than that of the new primary, but another one; so are its transactions."""
    ahead, behind = group.standbys
    async with reading_on(group, ahead) as server:
        await server.ready()
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session()
        await ann.appends(session, "kept")
        await group.caught_up()
        await behind.follow_nothing()
        await group.primary.execute("select pg_logical_emit_message(true, '', repeat('long', 4000000))")
        for number in range(20):
            await ann.appends(session, f"lost {number}")
        await asyncio.gather(*(texts(ann, session) for _ in range(5)))  # the session cache has them
        group.primary.kill()
        await behind.execute("select pg_promote(true, 30)")
        group.primary = behind
        await behind.execute(*["select pg_current_xact_id()"] * 40)
        await written(ann, session, "new")
        for _ in range(20):
            assert await texts(ann, session) == ["kept", "new"]
        await until_left(server, "newest promotion")
        assert await bob.sees(session, READ) is None


async def test_a_url_that_does_not_lead_to_a_standby_of_the_database_is_left(group, fresh_database):
    urls = (group.primary.url, group.primary.url.replace("/postgres", "/template1"), await fresh_database())
    async with serving(settings_for(group.url, database_replica_urls=urls)) as server:
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session()
        await ann.appends(session, "read on the primary")
        assert await texts(ann, session) == ["read on the primary"]
        assert await bob.sees(session, READ) is None
        await until_left(server, "standby 1: it is not a standby any more")
        for number in (2, 3):
            await until_left(server, f"standby {number}: it is not a standby of the database in DATABASE_URL")
        assert (await outcomes(server))["standby"] == 0
