"""SessionAgents: put as a document or by states, and read back unchanged."""

import json

import pytest

from tests.support.users import error, outcome

STATES = "state conversationManagerState internalState"


async def puts(user, session, selection="key", **fields):
    return await user.does("putSessionAgent", f"sessionAgent {{ {selection} }}", sessionId=session, **fields)


async def sees(user, session, selection, key="guide", kind="AGENT"):
    document = f"""query ($id: ID!, $key: String!, $kind: SessionAgentKind!) {{
        session(id: $id) {{ agent(key: $key, kind: $kind) {{ {selection} }} }} }}"""
    found = (await user.asks(document, id=session, key=key, kind=kind))["session"]
    return found and found["agent"]


async def catalogued(user):
    return (await user.does("createAgent", "agent { id }", name="Ada", type="helper"))["agent"]["id"]


async def test_session_agent_is_stored_as_sent(ann, bob):
    session, agent = await ann.creates_session(), await catalogued(ann)
    given = {
        "key": "guide",
        "kind": "MULTI_AGENT",
        "state": {"z": 1, "a": "\0"},
        "conversationManagerState": [1, None],
        "internalState": "busy",
        "raw": '{"Z": 1e400, "\\u0000": "\\ud800", "a":  12345678901234567890123}',
        "clientCreatedAt": "2026-01-31T12:00:00.000000Z",
    }
    selection = f"key kind {STATES} raw clientCreatedAt agent {{ id }} session {{ id }}"
    put = {**given, "agent": {"id": agent}, "session": {"id": session}}
    assert await puts(ann, session, selection, **given, agentId=agent) == {"sessionAgent": put, "errors": []}
    assert await sees(ann, session, selection, kind="MULTI_AGENT") == put
    assert list((await sees(ann, session, "state", kind="MULTI_AGENT"))["state"]) == ["z", "a"]
    assert await sees(ann, session, "key", kind="AGENT") is None
    assert await sees(bob, session, "key", kind="MULTI_AGENT") is None
    assert outcome(await puts(bob, session, **given)) == error("NOT_FOUND", field="sessionId")


async def test_update_changes_only_the_fields_that_were_sent(ann):
    session, agent = await ann.creates_session(), await catalogued(ann)
    await puts(ann, session, key="guide", state={"a": 1}, internalState={"b": 2}, raw="raw", agentId=agent)
    await puts(ann, session, key="guide", state={"a": 2})
    wanted = f"{STATES} raw agent {{ id }}"
    assert await sees(ann, session, wanted) == {
        "state": {"a": 2},
        "conversationManagerState": {},
        "internalState": {"b": 2},
        "raw": "raw",
        "agent": {"id": agent},
    }
    await puts(ann, session, key="guide", raw=None, agentId=None)
    assert await sees(ann, session, "state raw agent { id }") == {"state": {"a": 2}, "raw": None, "agent": None}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("state", None),
        ("conversationManagerState", None),
        ("internalState", None),
        ("key", ""),
        ("key", "k" * 256),
        ("key", "a\0b"),
        ("raw", "a\0b"),
        ("raw", "half \ud800"),
    ],
)
async def test_invalid_put_names_the_field(ann, field, value):
    session = await ann.creates_session()
    payload = await puts(ann, session, **{"key": "guide", field: value})
    assert payload["errors"][0]["__typename"] == "ValidationError"
    assert outcome(payload) == error("VALIDATION", field=field)
    assert (await ann.sees(session, "agents { totalCount }"))["agents"]["totalCount"] == 0


async def test_mode_decides_whether_the_session_agent_must_exist(ann):
    session = await ann.creates_session()
    missing = await puts(ann, session, key="guide", mode="UPDATE", state={})
    assert outcome(missing) == error("NOT_FOUND", field="key")
    created = await puts(ann, session, "revision", key="guide", mode="CREATE")
    again = await puts(ann, session, key="guide", mode="CREATE")
    assert outcome(again) == error("CONFLICT", field="key")
    assert again["errors"][0]["currentRevision"] == created["sessionAgent"]["revision"]
    updated = await puts(ann, session, "state", key="guide", mode="UPDATE", state={"a": 1})
    assert updated["sessionAgent"] == {"state": {"a": 1}}
    other_kind = await puts(ann, session, "kind", key="guide", kind="MULTI_AGENT", mode="CREATE")
    assert other_kind["sessionAgent"] == {"kind": "MULTI_AGENT"}


async def test_put_with_a_stale_revision_conflicts(ann):
    session = await ann.creates_session()
    absent = await puts(ann, session, key="guide", expectedRevision=1)
    assert outcome(absent) == error("NOT_FOUND", field="key")
    first = (await puts(ann, session, "revision", key="guide"))["sessionAgent"]["revision"]
    changed = await puts(ann, session, "revision", key="guide", state=[1], expectedRevision=first)
    late = await puts(ann, session, key="guide", state=[2], expectedRevision=first)
    assert outcome(late) == error("CONFLICT", field="expectedRevision")
    assert late["errors"][0]["currentRevision"] == changed["sessionAgent"]["revision"]
    assert await sees(ann, session, "state") == {"state": [1]}


async def test_states_are_read_from_raw(ann):
    session = await ann.creates_session()
    document = {
        "agent_id": "guide",
        "state": {"text": "nul \0 half \ud800", "wide": 2**70},
        "conversation_manager_state": {"removed": 3},
        "_internal_state": {"step": 1},
    }
    raw = json.dumps(document, indent=1)
    await puts(ann, session, key="guide", raw=raw)
    assert await sees(ann, session, f"raw {STATES}") == {
        "raw": raw,
        "state": {"text": "nul � half �", "wide": str(2**70)},
        "conversationManagerState": {"removed": 3},
        "internalState": {"step": 1},
    }
    await puts(ann, session, key="guide", raw='{"state": 1}', state={"mine": True})
    assert await sees(ann, session, "raw state") == {"raw": '{"state": 1}', "state": {"mine": True}}
    await puts(ann, session, key="guide", raw="no JSON at all")
    assert await sees(ann, session, "raw state") == {"raw": "no JSON at all", "state": {"mine": True}}


async def test_only_own_existing_agents_can_be_linked(ann, bob):
    session, bobs, gone = await ann.creates_session(), await catalogued(bob), await catalogued(ann)
    await ann.does("deleteAgent", id=gone)
    for agent in (bobs, gone, "agt_nonsense", session):
        payload = await puts(ann, session, key="guide", agentId=agent)
        assert outcome(payload) == error("NOT_FOUND", field="agentId")
    assert await sees(ann, session, "key") is None


async def test_agents_of_a_session_are_in_the_order_they_joined(ann):
    session = await ann.creates_session()
    for key in ("c", "a", "b"):
        await puts(ann, session, key=key)
    await puts(ann, session, key="c", state={"changed": True})
    selection = "totalCount nodes { key } pageInfo { hasNextPage hasPreviousPage endCursor startCursor }"
    page = (await ann.sees(session, f"agents {{ {selection} }}"))["agents"]
    assert (page["totalCount"], [node["key"] for node in page["nodes"]]) == (3, ["c", "a", "b"])
    first = (await ann.sees(session, f"agents(first: 2) {{ {selection} }}"))["agents"]
    cursor = first["pageInfo"]["endCursor"]
    rest = (await ann.sees(session, f'agents(first: 2, after: "{cursor}") {{ {selection} }}'))["agents"]
    assert [[node["key"] for node in page["nodes"]] for page in (first, rest)] == [["c", "a"], ["b"]]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    cursor = rest["pageInfo"]["startCursor"]
    last = (await ann.sees(session, f'agents(last: 1, before: "{cursor}") {{ {selection} }}'))["agents"]
    assert [node["key"] for node in last["nodes"]] == ["a"]


async def test_session_agent_has_its_own_messages(ann):
    session = await ann.creates_session()
    for n in range(3):
        await ann.appends(session, f"asked {n}")
        await ann.appends(session, f"said {n}", role="ASSISTANT", agentKey="guide")
    selection = "totalCount nodes { text } pageInfo { startCursor hasPreviousPage }"
    page = (await sees(ann, session, f"messages(last: 2) {{ {selection} }}"))["messages"]
    assert (page["totalCount"], page["nodes"]) == (3, [{"text": "said 1"}, {"text": "said 2"}])
    older = f'messages(last: 2, before: "{page["pageInfo"]["startCursor"]}") {{ {selection} }}'
    assert (await sees(ann, session, older))["messages"]["nodes"] == [{"text": "said 0"}]
