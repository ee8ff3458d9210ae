"""Agents: the catalogue of an owner, its filters and orders."""

from decimal import Decimal

import pytest

from tests.support.users import error, outcome

OWN = "key name type description status skills hourlyRate metadata"


async def creates(user, name="Ada", **fields):
    payload = await user.does("createAgent", "agent { id }", name=name, **{"type": "helper", **fields})
    assert payload["errors"] == []
    return payload["agent"]["id"]


async def sees(user, agent, selection=OWN):
    return (await user.asks(f"query ($id: ID!) {{ agent(id: $id) {{ {selection} }} }}", id=agent))["agent"]


async def listed(user, **filter):
    document = "query ($f: AgentFilter) { agents(filter: $f) { totalCount nodes { name } } }"
    page = (await user.asks(document, f=filter))["agents"]
    names = [node["name"] for node in page["nodes"]]
    assert page["totalCount"] == len(names)
    return names


async def test_agent_is_stored_as_sent(ann, bob):
    given = {
        "key": "ada",
        "name": "Ada",
        "type": "helper",
        "description": "Helps.",
        "status": "BUSY",
        "skills": ["sums", "proofs"],
        "hourlyRate": "12.50",
        "metadata": {"b": 1, "a": 2},
    }
    agent = await creates(ann, **given)
    assert await sees(ann, agent) == given
    assert list((await sees(ann, agent))["metadata"]) == ["b", "a"]
    assert await sees(ann, agent, "revision") == {"revision": 1}
    assert await sees(bob, agent) is None


async def test_agent_without_optional_fields_gets_defaults(ann):
    agent = await creates(ann, status=None, skills=None, metadata=None, hourlyRate=None)
    assert await sees(ann, agent) == {
        "key": None,
        "name": "Ada",
        "type": "helper",
        "description": None,
        "status": "AVAILABLE",
        "skills": [],
        "hourlyRate": None,
        "metadata": {},
    }


WRONG = [
    ("name", ""),
    ("name", "a\0b"),
    ("name", "n" * 256),
    ("hourlyRate", "-0.01"),
    ("skills", [""]),
    ("skills", ["s"] * 101),
    ("description", "d" * 10_001),
]


@pytest.mark.parametrize(("field", "value"), [*WRONG, ("type", ""), ("key", "")])
async def test_invalid_agent_is_not_created(ann, field, value):
    payload = await ann.does("createAgent", "agent { id }", **{"name": "Ada", "type": "helper", field: value})
    assert payload["errors"][0]["__typename"] == "ValidationError"
    assert outcome(payload) == error("VALIDATION", field=field)
    assert await listed(ann) == []


@pytest.mark.parametrize(("field", "value"), [*WRONG, ("name", None), ("skills", None), ("metadata", None)])
async def test_invalid_update_changes_nothing(ann, field, value):
    agent = await creates(ann)
    payload = await ann.does("updateAgent", "agent { id }", id=agent, **{field: value})
    assert outcome(payload) == error("VALIDATION", field=field)
    assert await sees(ann, agent, "revision") == {"revision": 1}


async def test_update_changes_only_the_fields_that_were_sent(ann, bob):
    agent = await creates(ann, description="Helps.", hourlyRate="1", skills=["sums"], metadata={"a": 1})
    await ann.does("updateAgent", id=agent, name="Bea")
    wanted = "name description hourlyRate skills metadata revision"
    assert list((await sees(ann, agent, wanted)).values()) == ["Bea", "Helps.", "1", ["sums"], {"a": 1}, 2]
    await ann.does("updateAgent", id=agent, description=None, hourlyRate=None, skills=[], metadata=3)
    assert list((await sees(ann, agent, wanted)).values()) == ["Bea", None, None, [], 3, 3]
    assert outcome(await bob.does("updateAgent", id=agent, name="Bob's")) == error("NOT_FOUND", field="id")


async def test_update_with_a_stale_revision_conflicts(ann):
    agent = await creates(ann)
    assert (await ann.does("updateAgent", id=agent, name="Bea", expectedRevision=1))["errors"] == []
    late = await ann.does("updateAgent", id=agent, name="Cleo", expectedRevision=1)
    assert outcome(late) == error("CONFLICT", field="expectedRevision")
    assert late["errors"][0]["currentRevision"] == 2
    assert await sees(ann, agent, "name") == {"name": "Bea"}


async def test_every_status_may_follow_every_other(ann, bob):
    agent = await creates(ann)
    for status in ("RETIRED", "BUSY", "BUSY", "OFFLINE", "AVAILABLE"):
        payload = await ann.does("setAgentStatus", "agent { status }", id=agent, status=status)
        assert payload == {"agent": {"status": status}, "errors": []}
    assert outcome(await bob.does("setAgentStatus", id=agent, status="BUSY")) == error("NOT_FOUND", field="id")


async def test_key_is_unique_per_owner_and_free_after_deletion(ann, bob):
    agent = await creates(ann, key="ada")
    taken = await ann.does("createAgent", name="Other", type="helper", key="ada")
    assert outcome(taken) == error("CONFLICT", field="key")
    await creates(bob, key="ada")
    by_key = '{ agent(key: "ada") { id } }'
    assert (await ann.asks(by_key))["agent"] == {"id": agent}
    assert outcome(await bob.does("deleteAgent", id=agent)) == error("NOT_FOUND", field="id")
    assert await ann.does("deleteAgent", "deletedId", id=agent) == {"deletedId": agent, "errors": []}
    assert (await ann.asks(by_key))["agent"] is None
    for mutation, fields in (
        ("deleteAgent", {}),
        ("updateAgent", {"name": "x"}),
        ("setAgentStatus", {"status": "BUSY"}),
    ):
        assert outcome(await ann.does(mutation, id=agent, **fields)) == error("NOT_FOUND", field="id")
    assert await creates(ann, key="ada") != agent


async def test_agent_needs_exactly_one_of_id_and_key(ann):
    for arguments in ("", '(id: "agt_x", key: "ada")'):
        response = await ann.responds(f"{{ agent{arguments} {{ id }} }}")
        assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_agents_are_filtered_by_every_condition(ann, bob):
    await creates(ann, "Ada", skills=["sums", "proofs"], hourlyRate="12.50", description="Likes 100%")
    await creates(ann, "Bea", skills=["sums"], hourlyRate="12.51", status="BUSY")
    await creates(ann, "Cleo", type="writer")
    assert await listed(ann, status=["BUSY", "RETIRED"]) == ["Bea"]
    assert await listed(ann, status=[]) == []
    assert await listed(ann, type="writer") == ["Cleo"]
    assert await listed(ann, skills=["sums"]) == ["Ada", "Bea"]
    assert await listed(ann, skills=["proofs", "sums"]) == ["Ada"]
    assert await listed(ann, maxHourlyRate="12.50") == ["Ada"]
    assert await listed(ann, maxHourlyRate="13") == ["Ada", "Bea"]
    assert await listed(ann, query="LIKES 100%") == ["Ada"]
    assert await listed(ann, query="e") == ["Ada", "Bea", "Cleo"]
    assert await listed(ann, status=["AVAILABLE"], type="helper", query="ada") == ["Ada"]
    assert await listed(ann, status=None, type=None, skills=None, query=None) == ["Ada", "Bea", "Cleo"]
    assert await listed(bob) == []


async def test_agents_are_paged_in_every_order(ann):
    for name, rate in (("b", None), ("a.2", "0"), ("B", "100"), ("ä", "9.99"), ("a.2", None)):
        await creates(ann, name, hourlyRate=rate)
    made = [("b", None), ("a.2", "0"), ("B", "100"), ("ä", "9.99"), ("a.2", None)]
    for field, expected in {
        "NAME": [("B", "100"), ("a.2", "0"), ("a.2", None), ("b", None), ("ä", "9.99")],
        "CREATED_AT": made,
        "HOURLY_RATE": [("b", None), ("a.2", None), ("a.2", "0"), ("ä", "9.99"), ("B", "100")],
    }.items():
        assert await ids_of_all_pages(ann, "first", "after", field, "ASC") == expected
        assert await ids_of_all_pages(ann, "last", "before", field, "ASC") == expected[::-1]
        assert await ids_of_all_pages(ann, "first", "after", field, "DESC") == expected[::-1]
        assert await ids_of_all_pages(ann, "last", "before", field, "DESC") == expected


async def ids_of_all_pages(user, size, cursor, field, direction):
    document = f"""query ($o: AgentOrder!, $c: String) {{ agents({size}: 2, {cursor}: $c, orderBy: $o) {{
        nodes {{ name hourlyRate }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"""
    more, end = ("hasNextPage", "endCursor") if size == "first" else ("hasPreviousPage", "startCursor")
    seen, at = [], None
    while True:
        page = (await user.asks(document, o={"field": field, "direction": direction}, c=at))["agents"]
        rows = [(node["name"], node["hourlyRate"]) for node in page["nodes"]]
        seen += rows if size == "first" else rows[::-1]
        if not page["pageInfo"][more]:
            return seen
        at = page["pageInfo"][end]


@pytest.mark.parametrize("rate", ["12.50", "0", "0.000", "99999999999999999999.9999999999", "1E+2"])
async def test_rate_keeps_its_digits(ann, rate):
    shown = (await sees(ann, await creates(ann, hourlyRate=rate), "hourlyRate"))["hourlyRate"]
    assert Decimal(shown) == Decimal(rate)
    assert shown == rate or "E" in rate


@pytest.mark.parametrize("rate", ["", "a lot", "NaN", "Infinity", "1" * 31, True, [], {}])
async def test_invalid_decimal_is_refused(ann, rate):
    document = 'mutation ($r: Decimal) { createAgent(input: {name: "a", type: "b", hourlyRate: $r}) { agent { id } } }'
    response = await ann.responds(document, r=rate)
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert await listed(ann) == []


async def test_agent_returns_its_sessions(ann, bob):
    agent = await creates(ann)
    old, new, gone, stray = [await ann.creates_session(title) for title in ("old", "new", "gone", "stray")]
    for session in (old, new, gone):
        await ann.does("putSessionAgent", sessionId=session, key="part", agentId=agent)
    await ann.does("deleteSession", id=gone)
    await ann.appends(old, "latest now")
    selection = "sessions { totalCount nodes { title agents { nodes { agent { id } } } } }"
    part = {"agents": {"nodes": [{"agent": {"id": agent}}]}}
    assert (await sees(ann, agent, selection))["sessions"] == {
        "totalCount": 2,
        "nodes": [{"title": "old", **part}, {"title": "new", **part}],
    }
    assert await sees(bob, agent, selection) is None
    await ann.does("deleteAgent", id=agent)
    assert (await ann.sees(old, "agents { nodes { key agent { id } } }"))["agents"]["nodes"] == [
        {"key": "part", "agent": None}
    ]
    assert await ann.sees(stray, "title") == {"title": "stray"}


async def test_sessions_of_an_agent_page_by_activity_archived_or_not(ann):
    agent = await creates(ann)
    titles = [f"s{number}" for number in range(7)]
    for number, title in enumerate(titles):
        session = await ann.creates_session(title)
        await ann.does("putSessionAgent", sessionId=session, key="part", agentId=agent)
        if number % 2:
            await ann.does("archiveSession", id=session)
    newest_first, pages = titles[::-1], []
    for size, cursor in (("first: 3", "after"), ("last: 3", "before")):
        found, at = [], None
        while True:
            bound = f', {cursor}: "{at}"' if at else ""
            selection = f"sessions({size}{bound}) {{ edges {{ cursor node {{ title metadata }} }} totalCount }}"
            page = (await sees(ann, agent, selection))["sessions"]
            edges = page["edges"] if cursor == "after" else page["edges"][::-1]
            if not edges:
                break
            found += [edge["node"]["title"] for edge in edges]
            at = edges[-1]["cursor"]
            assert page["totalCount"] == 7
        pages.append(found)
    assert pages == [newest_first, titles]
