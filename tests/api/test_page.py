"""Pages of connections: sizes, cursors and defaults."""

import pytest

from tests.support.ids import row_of

CONNECTIONS = {
    "sessions": "{{ sessions{0} {{ nodes {{ id }} }} }}",
    "agents": "{{ agents{0} {{ nodes {{ id }} }} }}",
    "Session.messages": "query ($s: ID!) {{ session(id: $s) {{ messages{0} {{ nodes {{ id }} }} }} }}",
    "Session.agents": "query ($s: ID!) {{ session(id: $s) {{ agents{0} {{ nodes {{ id }} }} }} }}",
    "SessionAgent.messages": 'query ($s: ID!) {{ session(id: $s) {{ agent(key: "guide") {{ messages{0} '
    "{{ nodes {{ id }} }} }} }} }}",
    "Agent.sessions": "query ($a: ID!) {{ agent(id: $a) {{ sessions{0} {{ nodes {{ id }} }} }} }}",
}
SIZES = ["(first: 0)", "(first: 101)", "(first: -1)", "(last: 0)", "(last: 101)", "(last: -1)", "(first: 1, last: 1)"]
CURSORS = [
    "",
    "x",
    "m.1",
    "a.",
    "n.x",
    "m.0",
    "m.01",
    "m.-1",
    "m.99999999999",
    "c.zzz",
    "n.\\u0000.x",
    "r.NaN.x",
    "g.1.2",
]


@pytest.fixture
async def ids(ann):
    """An owner's objects with pages below them."""
    agent = (await ann.does("createAgent", "agent { id }", name="Ada", type="helper"))["agent"]["id"]
    session = await ann.creates_session("Pages")
    await ann.does("putSessionAgent", sessionId=session, key="guide", agentId=agent)
    for text in ("one", "two"):
        await ann.appends(session, text, agentKey="guide")
    return {"s": session, "a": agent}


def variables(document, ids):
    return {name: value for name, value in ids.items() if f"${name}:" in document}


@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("size", SIZES)
async def test_page_size_outside_of_1_to_100_is_refused(ann, ids, connection, size):
    document = CONNECTIONS[connection].format(size)
    [refused] = (await ann.responds(document, **variables(document, ids)))["errors"]
    assert refused["extensions"] == {"code": "BAD_USER_INPUT"}
    assert "first" in refused["message"] or "last" in refused["message"]


@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("end", ["after", "before"])
async def test_invalid_cursor_is_refused(ann, ids, connection, end):
    for cursor in CURSORS:
        if connection.endswith("messages") and cursor == "m.1":
            continue
        document = CONNECTIONS[connection].format(f'({end}: "{cursor}")')
        response = await ann.responds(document, **variables(document, ids))
        assert [found["extensions"]["code"] for found in response.get("errors", [])] == ["BAD_USER_INPUT"], cursor


@pytest.mark.parametrize("connection", CONNECTIONS)
async def test_largest_page_of_each_connection_is_read(ann, ids, connection):
    for size in ("(first: 100)", "(last: 100)", "(first: 1)", "(first: null, last: 1)", "(after: null)"):
        document = CONNECTIONS[connection].format(size)
        found = await ann.asks(document, **variables(document, ids))
        while "nodes" not in found:
            [found] = found.values()
        assert found["nodes"], size


async def test_cursor_belongs_to_one_connection_and_order(ann, ids):
    taken = {
        "messages": (await ann.sees(ids["s"], "messages { edges { cursor } }"))["messages"]["edges"][0]["cursor"],
        "event": (await ann.sees(ids["s"], "eventCursor"))["eventCursor"],
    }
    for field, connection in (("LAST_ACTIVITY", "sessions"), ("CREATED_AT", "sessions"), ("NAME", "agents")):
        order = f"(orderBy: {{field: {field}, direction: ASC}})"
        page = await ann.asks(f"{{ {connection}{order} {{ pageInfo {{ endCursor }} }} }}")
        taken[f"{connection} {field}"] = page[connection]["pageInfo"]["endCursor"]
    for name, cursor in taken.items():
        for field in ("LAST_ACTIVITY", "CREATED_AT"):
            document = f"""query ($c: String) {{ sessions(after: $c, orderBy: {{field: {field}, direction: ASC}}) {{
                nodes {{ id }} }} }}"""
            response = await ann.responds(document, c=cursor)
            assert ("errors" not in response) == (name == f"sessions {field}"), name


async def test_cursor_of_another_owner_is_only_a_position(ann, bob, ids):
    cursor = (await ann.asks("{ sessions { edges { cursor } } }"))["sessions"]["edges"][0]["cursor"]
    assert row_of(ids["s"]) in cursor
    own = [await bob.creates_session(title) for title in ("older", "newer")]
    page = await bob.asks("query ($c: String) { sessions(before: $c) { nodes { id } } }", c=cursor)
    assert [node["id"] for node in page["sessions"]["nodes"]] == own[::-1]


async def test_empty_connection_has_no_cursors(ann):
    page = await ann.asks(
        "{ sessions { totalCount edges { cursor } nodes { id } pageInfo { %s } } }"
        % ("hasNextPage hasPreviousPage startCursor endCursor")
    )
    assert page["sessions"] == {
        "totalCount": 0,
        "edges": [],
        "nodes": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


async def test_default_page_size_is_fifty(ann):
    agents = "\n".join(
        f'a{n}: createAgent(input: {{name: "{n:02}", type: "t"}}) {{ errors {{ code }} }}' for n in range(26)
    )
    for _ in range(2):
        await ann.asks(f"mutation {{ {agents} }}")
    page = (await ann.asks("{ agents { totalCount nodes { name } pageInfo { hasNextPage } } }"))["agents"]
    assert (page["totalCount"], len(page["nodes"]), page["pageInfo"]["hasNextPage"]) == (52, 50, True)
