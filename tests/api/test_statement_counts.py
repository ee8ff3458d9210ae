"""Statement counts: an operation needs as many statements for twenty sessions as for one."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from app.db.session import MAX_AGENTS
from harness import citus
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.streaming import extends, starts, writes
from tests.support.users import Refusal

DEEP = """query ($n: Int!) { sessions(first: $n, orderBy: {field: CREATED_AT, direction: ASC}) { totalCount nodes {
  title
  lastMessage { text session { id } agent { key agent { name } } }
  messages(last: 3) { totalCount nodes { text agent { agent { id } } } pageInfo { hasPreviousPage } }
  message(sequence: 1) { text }
  agents(first: 2) { totalCount nodes { key agent { name sessions(first: 2) { totalCount nodes { id } } }
    messages(last: 2) { totalCount nodes { text } } } }
  agent(key: "guide") { key }
} } }"""
W1 = """query W1($id: ID!) {
  session(id: $id) {
    id
    title
    messages(last: 50) {
      edges { cursor node { id role text createdAt agent { key agent { id name } } } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
}"""
W2 = """query W2 {
  sessions(first: 20) {
    edges {
      cursor
      node {
        id title status lastActivityAt messageCount unreadCount
        lastMessage { id role text createdAt agent { key agent { id name } } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""
W3 = """mutation W3($session: ID!, $text: String!) {
  appendMessage(input: {sessionId: $session, message: {role: USER, text: $text}}) {
    message { id sequence role text createdAt }
    cursor
    errors { code message field }
  }
}"""

# Citus takes further steps in the transaction of a write (docs/decisions/0023-citus.md).
APPEND, EXTEND_TEXT = (2, 3) if citus.cluster_url() else (1, 1)


@pytest.fixture(scope="module")
async def logged(database_url):
    """A server, and the list of the statements that its connections run."""
    statements = []

    def log(connection, _record):
        connection.driver_connection.add_query_logger(statements.append)

    event.listen(Pool, "connect", log)
    try:
        async with serving(settings_for(database_url)) as running:
            yield running, statements
    finally:
        event.remove(Pool, "connect", log)


@pytest.fixture
async def counts(logged):
    """`await counts(document, ...)` is the number of statements for an owner of twenty sessions."""
    running, statements = logged
    ann = running.user(f"ann-{uuid4().hex[:12]}")
    sessions = [await fills(ann, number) for number in range(20)]

    async def count(document, **variables):
        statements.clear()
        await ann.asks(document, **variables)
        return sum(ann.name in statement.args for statement in statements)

    counting: Any = count
    counting.sessions, counting.ann = sessions, ann
    return counting


async def fills(user, number):
    """The id of a session with two agents, and more messages than the pages of the tests."""
    session = await user.creates_session(f"{number}")
    agent = await user.does("createAgent", "agent { id }", name=f"{number}", type="helper")
    for key in ("guide", "critic"):
        await user.does("putSessionAgent", sessionId=session, key=key, agentId=agent["agent"]["id"])
    messages = [{"role": "ASSISTANT", "text": "t", "agentKey": key} for key in ("guide", "critic", "guide", "critic")]
    assert (await user.does("appendMessages", sessionId=session, messages=messages))["errors"] == []
    return session


async def test_twenty_sessions_need_as_many_statements_as_one(counts):
    one, twenty = [await counts(DEEP, n=number) for number in (1, 20)]
    assert one == twenty == 16


async def test_benchmark_operations_need_one_statement_per_level(counts):
    """W1: session, messages, session agents, agents. W2: sessions, last messages, session agents, agents. W3: one append."""
    session = counts.sessions[0]
    found = await counts(W1, id=session), await counts(W2), await counts(W3, session=session, text="t")
    assert found == (4, 4, APPEND)


async def test_a_last_message_comes_with_its_agents(database_url, logged):
    """Without cache. A compiled document joins session agents, their agents and last messages to sessions."""
    _, statements = logged
    async with serving(settings_for(database_url, session_cache_bytes=0)) as running:
        ann, bob = (running.user(f"{name}-{uuid4().hex[:12]}") for name in ("ann", "bob"))
        session = await fills(ann, 1)
        await ann.creates_session("empty")
        unlinked = await ann.creates_session("unlinked")
        await ann.appends(unlinked, "t", role="ASSISTANT", agentKey="unlinked")
        await ann.appends(await ann.creates_session("plain"), "t")
        runs = []
        for document, variables in 3 * [(W1, {"id": session}), (W2, {})]:
            statements.clear()
            data = await ann.asks(document, **variables)
            runs.append((data, sum(ann.name in statement.args for statement in statements)))
        assert [count for _, count in [*runs[:2], *runs[-2:]]] == [4, 4, 2, 1]
        assert [data for data, _ in runs[:2]] == [data for data, _ in runs[-2:]]
        last = {edge["node"]["title"]: edge["node"]["lastMessage"] for edge in runs[-1][0]["sessions"]["edges"]}
        assert (last["empty"], last["plain"]["agent"]) == (None, None)
        assert last["unlinked"]["agent"] == {"key": "unlinked", "agent": None}
        assert last["1"]["agent"]["agent"]["name"] == "1"
        await writes(ann, await starts(ann, unlinked), "so far")
        assert (await ann.asks(W2))["sessions"]["edges"][0]["node"]["lastMessage"]["text"] == "so far"
        assert (await bob.asks(W2))["sessions"]["edges"] == []


async def test_a_session_comes_with_its_first_agents(database_url, logged):
    """The agents beyond these need one more statement, and every way to read them returns the same."""
    _, statements = logged
    async with serving(settings_for(database_url, session_cache_bytes=0)) as running:
        ann, bob = (running.user(f"{name}-{uuid4().hex[:12]}") for name in ("ann", "bob"))
        agents = [
            (await ann.does("createAgent", "agent { id }", name=name, type="helper"))["agent"]["id"]
            for name in ("kept", "deleted")
        ]
        for number, expected in ((MAX_AGENTS, 2), (MAX_AGENTS + 1, 3)):
            session, keys = await ann.creates_session(), [f"agent-{index}" for index in range(number)]
            for key, agent in zip((keys[0], keys[-1]), agents, strict=True):
                await ann.does("putSessionAgent", sessionId=session, key=key, agentId=agent)
            messages = [{"role": "ASSISTANT", "text": key, "agentKey": key} for key in keys]
            await ann.does("appendMessages", sessionId=session, messages=messages)
            if number > MAX_AGENTS:
                await ann.does("deleteAgent", id=agents[1])
            document, found = W1.replace("W1", f"With{number}"), []
            for _ in range(4):
                statements.clear()
                data = await ann.asks(document, id=session)
                found.append((data, sum(ann.name in statement.args for statement in statements)))
            assert (found[0][1], found[-1][1]) == (4, expected)
            assert all(data == found[0][0] for data, _ in found)
            assert await bob.asks(document, id=session) == {"session": None}


async def test_an_unchanged_page_and_an_unchanged_list_need_one_statement_each(counts):
    """A compiled document reads partial rows: these are kept from the second read under a head on."""
    session, warm1, warm2 = counts.sessions[0], W1.replace("W1", "Warm1"), W2.replace("W2", "Warm2")
    runs = [(await counts(warm1, id=session), await counts(warm2)) for _ in range(4)]
    assert (runs[0], runs[-1]) == ((4, 4), (1, 1))
    await counts.ann.appends(session, "t", agentKey="guide")
    changed = [await counts(warm1, id=session) for _ in range(3)]
    assert changed == [2, 3, 1]  # the cache keeps only what was read after the head


async def test_sessions_of_which_one_has_changed_need_no_statements_of_their_own(counts):
    """Beside kept agents of sessions, the catalogue is a statement of its own."""
    for _ in range(3):
        await counts(W2), await counts(DEEP, n=20)
    for number in (0, 10, 19):
        await counts.ann.appends(counts.sessions[number], "t", agentKey="guide")
        assert await counts(DEEP, n=20) < 20
        await counts.ann.appends(counts.sessions[number], "t", agentKey="guide")
        assert await counts(W2) <= 4


async def test_a_subscriber_that_has_missed_nothing_needs_one_statement(logged):
    running, statements = logged
    ann, bob = (running.user(f"{name}-{uuid4().hex[:12]}") for name in ("ann", "bob"))
    session = await ann.creates_session("Live")
    await ann.appends(session, "t")
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    for after in (None, cursor):
        statements.clear()
        assert [event["__typename"] for event in await ann.replays(session, after)] == ["CaughtUp"]
        assert sum(ann.name in statement.args for statement in statements) == 1
    writing = await starts(ann, session, key="m")
    await writes(ann, writing, "so far")
    for after in (None, cursor):
        *_, message, last = await ann.replays(session, after)
        assert (message["message"]["text"], last["__typename"]) == ("so far", "CaughtUp")
    with pytest.raises(Refusal, match="NOT_FOUND"):
        await bob.replays(session, cursor)


TEXTS = """query { sessions(first: 20) { nodes {
  streaming lastMessage { text } messages(last: 3) { nodes { text content { position } } } } } }"""
EXTEND = """mutation ($id: ID!, $fence: String!, $offset: Int!) {
  extendMessage(input: {id: $id, fence: $fence, offset: $offset, text: "more"}) {
    message { id status sequence } cursor errors { code } } }"""


async def test_streaming_texts_need_one_more_statement(counts):
    assert await counts(TEXTS) == 4
    writings = [await starts(counts.ann, session) for session in counts.sessions]
    await extends(counts.ann, writings[0], 0, "so far")
    assert await counts(TEXTS) == 5
    assert await counts("{ sessions(first: 20) { nodes { streaming } } }") == 2


async def test_extend_is_one_statement(counts):
    writing = await starts(counts.ann, counts.sessions[0])
    given = {"id": writing.message, "fence": writing.fence}
    assert [await counts(EXTEND, **given, offset=at) for at in (0, 4, 8)] == [EXTEND_TEXT] * 3
    assert [await counts(EXTEND, **given, offset=at) for at in (0, 99)] == [2, 2]


async def test_total_is_counted_only_when_selected(counts):
    assert await counts("{ sessions { nodes { id } pageInfo { hasNextPage } } }") == 1
    assert await counts("{ sessions { totalCount nodes { id } } }") == 2


async def test_repeated_field_is_read_once(counts):
    same = " ".join(f'a{n}: session(id: "{counts.sessions[0]}") {{ title }}' for n in range(20))
    assert await counts(f"{{ {same} }}") == 1


async def test_an_operation_on_records_is_one_statement(counts):
    """A put in sessions locks them first; a page with `totalCount` counts in the same statement as it reads."""
    puts = "mutation ($i: PutRecordsInput!) { putRecords(input: $i) { records { id session { id } } errors { code } } }"
    deletes = "mutation ($i: DeleteRecordsInput!) { deleteRecords(input: $i) { deletedCount errors { code } } }"

    def records(number, **fields):
        return [{"namespace": ["live", f"{n % 5}"], "key": f"{n}", "value": n, **fields} for n in range(number)]

    for number in (1, 100):
        plain = {"records": records(number)}
        assert await counts(puts.replace("session { id }", ""), i=plain) == 1
        inside = {"records": [each | {"sessionId": counts.sessions[0]} for each in records(number)]}
        assert await counts(puts, i=inside) == 3  # the lock, the put, and the sessions in the answer
        assert await counts("{ records(first: 100) { nodes { key value } } }") == 1
        assert await counts("{ records(first: 100) { totalCount nodes { key session { id } } } }") == 3
        assert await counts("{ recordNamespaces(first: 100) { nodes { namespace } } }") == 1
        names = [{"namespace": each["namespace"], "key": each["key"]} for each in records(number)]
        one = " ".join(
            f'r{n}: record(namespace: ["live", "{n % 5}"], key: "{n}") {{ key }}' for n in range(min(number, 9))
        )
        assert await counts(f"{{ {one} }}") == 1
        assert await counts(deletes, i={"keys": names}) == 1
        await counts(puts, i=plain)
        assert await counts(deletes, i={"namespacePrefix": ["live"]}) == 1


async def test_a_replay_of_many_live_records_needs_as_many_statements_as_of_one(logged):
    running, statements = logged
    ann = running.user(f"ann-{uuid4().hex[:12]}")
    found = []
    for number in (1, 60):
        cursor = await ann.quiet_cursor()
        records = [{"namespace": ["live"], "key": f"{n}", "value": n} for n in range(number)]
        await ann.does("putRecords", records=records)
        statements.clear()
        assert len(await ann.catches_up(cursor)) == number + 1
        found.append(sum(ann.name in statement.args for statement in statements))
    assert found[0] == found[1] <= 3
