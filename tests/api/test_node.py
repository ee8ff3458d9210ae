"""Ids: one answer for what never was, what is gone, what is of another kind, and what is somebody else's."""

import pytest

from tests.support.ids import row_of
from tests.support.users import error, outcome

NOWHERE = "00000000-0000-7000-8000-000000000000"
MALFORMED = [
    "",
    "x",
    "ses_",
    "ses_123",
    f"ses_{NOWHERE.upper().replace('0', 'A')}",
    f" ses_{NOWHERE}",
    f"ses_{NOWHERE}\n",
    f"ses_{NOWHERE}_1",
    f"msg_{NOWHERE}",
    f"msg_{NOWHERE}_0",
    f"msg_{NOWHERE}_01",
    f"msg_{NOWHERE}_9999999999",
    f"msg_{NOWHERE}_99999999999999999999",
    f"prt_{NOWHERE}_a_",
    f"prt_{NOWHERE}_x_Z3VpZGU",
    f"prt_{NOWHERE}_a_Z3VpZGV",
    f"prt_{NOWHERE}_a_AA",
    f"prt_{NOWHERE}_a__w",
    "agt_\0",
    "\ud800",
    "ünïcode",
]
ABSENT = [f"{kind}_{NOWHERE}" for kind in ("ses", "agt", "tsk", "apr", "aud")] + [
    f"msg_{NOWHERE}_1",
    f"prt_{NOWHERE}_a_Z3VpZGU",
]
MUTATIONS = {
    "updateSession": ("id", {"title": "t"}),
    "setSessionStatus": ("id", {"status": "ACTIVE"}),
    "archiveSession": ("id", {}),
    "restoreSession": ("id", {}),
    "deleteSession": ("id", {}),
    "markSessionRead": ("id", {"upToSequence": 1}),
    "appendMessage": ("sessionId", {"message": {"role": "USER", "text": "t"}}),
    "appendMessages": ("sessionId", {"messages": [{"role": "USER", "text": "t"}]}),
    "updateMessage": ("id", {"text": "t"}),
    "deleteMessage": ("id", {}),
    "putSessionAgent": ("sessionId", {"key": "k"}),
    "updateAgent": ("id", {"name": "n"}),
    "setAgentStatus": ("id", {"status": "BUSY"}),
    "deleteAgent": ("id", {}),
    "createTask": ("sessionId", {"type": "t"}),
    "setTaskStatus": ("id", {"status": "ACTIVE"}),
    "requestApproval": ("taskId", {}),
    "decideApproval": ("id", {"decision": "APPROVE"}),
}
NAMED = {"sessionId": "Session", "taskId": "Task"}


@pytest.fixture
async def things(ann):
    """The id of one thing of every kind, by its type."""
    session = await ann.creates_session("Things")
    await ann.appends(session, "hello", agentKey="guide")
    document = "query ($id: ID!) { session(id: $id) { lastMessage { id } agents { nodes { id } } } }"
    found = (await ann.asks(document, id=session))["session"]
    agent = await ann.does("createAgent", "agent { id }", name="Ada", type="helper")
    task = (await ann.does("createTask", "task { id }", type="review", sessionId=session))["task"]["id"]
    approval = await ann.does("requestApproval", "approval { id }", taskId=task)
    return {
        "Session": session,
        "Message": found["lastMessage"]["id"],
        "SessionAgent": found["agents"]["nodes"][0]["id"],
        "Agent": agent["agent"]["id"],
        "Task": task,
        "Approval": approval["approval"]["id"],
    }


async def nodes(user, *ids):
    found = await user.asks("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=ids)
    return [node and (node["__typename"], node["id"]) for node in found["nodes"]]


async def test_every_thing_is_found_by_its_id_and_by_nobody_else(ann, bob, things):
    for kind, thing in things.items():
        document = "query ($id: ID!) { node(id: $id) { __typename id } }"
        assert (await ann.asks(document, id=thing))["node"] == {"__typename": kind, "id": thing}
        assert (await bob.asks(document, id=thing))["node"] is None


async def test_nodes_come_in_the_order_they_were_asked_for(ann, bob, things):
    asked = [*things.values(), "nonsense", *reversed(things.values())]
    found = list(things.items())
    assert await nodes(ann, *asked) == [*found, None, *reversed(found)]
    assert await nodes(bob, *asked) == [None] * len(asked)
    assert await nodes(ann) == []


async def test_at_most_a_hundred_nodes_are_given_at_once(ann, things):
    assert len(await nodes(ann, *[things["Session"]] * 100)) == 100
    response = await ann.responds(f"{{ nodes(ids: {['x'] * 101}) {{ id }} }}".replace("'", '"'))
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("id", [*MALFORMED, *ABSENT])
async def test_an_id_of_nothing_is_absent_everywhere(ann, id):
    document = "query ($id: ID!) { node(id: $id) { id } session(id: $id) { id } agent(id: $id) { id } }"
    assert await ann.asks(document, id=id) == {"node": None, "session": None, "agent": None}
    for mutation, (field, more) in MUTATIONS.items():
        assert outcome(await ann.does(mutation, **{field: id}, **more)) == error("NOT_FOUND", field=field), mutation


async def test_an_id_of_another_kind_is_absent(ann, things):
    for kind, thing in things.items():
        found = await ann.asks("query ($id: ID!) { session(id: $id) { id } agent(id: $id) { id } }", id=thing)
        assert [name for name, node in found.items() if node] == [kind.lower()] * (kind in ("Session", "Agent"))
        for mutation, (field, more) in MUTATIONS.items():
            takes = NAMED.get(field) or next(kind for kind in things if kind in mutation)
            if takes != kind:
                payload = await ann.does(mutation, **{field: thing}, **more)
                assert outcome(payload) == error("NOT_FOUND", field=field), (mutation, kind)


ASKED_BY_NAME = [
    "session(key: $t) { id }",
    "agent(key: $t) { id }",
    "session(id: $id) { message(key: $t) { id } }",
    'session(id: $id) { message(key: "k", agentKey: $t) { id } }',
    "session(id: $id) { agent(key: $t) { id } }",
    "session(id: $id) { messages(filter: {agentKey: $t}) { nodes { id } } }",
    "sessions(filter: {query: $t}) { totalCount }",
    "sessions(filter: {agentType: $t}) { nodes { id } }",
    "sessions(filter: {role: $t}) { nodes { id } }",
    "agents(filter: {type: $t}) { nodes { id } }",
    "agents(filter: {skills: [$t]}) { nodes { id } }",
    "agents(filter: {query: $t}) { nodes { id } }",
    "tasks(filter: {type: $t}) { totalCount }",
    "session(id: $id) { tasks(filter: {toRole: $t}) { nodes { id } } }",
    "approvals(filter: {approverRole: $t}) { nodes { id } }",
    "session(id: $id) { approvals(filter: {approverRole: $t}) { nodes { id } } }",
    "auditEvents(filter: {eventType: $t}) { nodes { id } }",
]


@pytest.mark.parametrize("asked", ASKED_BY_NAME)
async def test_a_name_that_nothing_can_have_is_refused_clearly(ann, things, asked):
    for name in ("a\0b", "half \ud800"):
        head = "query ($t: String!, $id: ID!)" if "$id" in asked else "query ($t: String!)"
        where = {"id": things["Session"]} if "$id" in asked else {}
        response = await ann.responds(f"{head} {{ {asked} }}", t=name, **where)
        [refused] = response["errors"]
        assert refused["extensions"] == {"code": "BAD_USER_INPUT"}
        assert "U+0000" in refused["message"]


async def test_an_erased_thing_never_comes_back_under_its_id(ann, things):
    await ann.does("deleteSession", id=things["Session"], mode="HARD")
    await ann.does("deleteAgent", id=things["Agent"])
    assert await nodes(ann, *things.values()) == [None] * 6
    assert row_of(things["Session"]) != row_of(await ann.creates_session())


async def test_everybody_is_only_themselves(ann, bob, user):
    carl = user("carl", scopes=["chat:read"], roles=["lead", "auditor"])
    wanted = "{ viewer { id subject scopes roles } }"
    seen = [(await who.asks(wanted))["viewer"] for who in (ann, bob, carl)]
    assert [viewer["subject"] for viewer in seen] == [ann.name, bob.name, carl.name]
    assert len({viewer["id"] for viewer in seen}) == 3
    assert (seen[0]["scopes"], seen[2]["scopes"]) == (["chat:read", "chat:write"], ["chat:read"])
    assert (seen[0]["roles"], seen[2]["roles"]) == ([], ["lead", "auditor"])
    assert (await ann.asks(wanted))["viewer"] == seen[0]


async def test_whoever_may_only_read_writes_nothing(user):
    reader = user("reader", scopes=["chat:read"])
    response = await reader.responds('mutation { createSession(input: {title: "no"}) { session { id } } }')
    assert [found["extensions"]["code"] for found in response["errors"]] == ["FORBIDDEN"]
    assert (await reader.asks("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0
