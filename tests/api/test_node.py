"""Node ids: one answer for an id that is unknown, erased, of another type, or of another owner."""

import pytest

from tests.support.ids import row_of
from tests.support.users import error, outcome

NO_ROW = "00000000-0000-7000-8000-000000000000"
MALFORMED = [
    "",
    "x",
    "ses_",
    "ses_123",
    f"ses_{NO_ROW.upper().replace('0', 'A')}",
    f" ses_{NO_ROW}",
    f"ses_{NO_ROW}\n",
    f"ses_{NO_ROW}_1",
    f"msg_{NO_ROW}",
    f"msg_{NO_ROW}_0",
    f"msg_{NO_ROW}_01",
    f"msg_{NO_ROW}_9999999999",
    f"msg_{NO_ROW}_99999999999999999999",
    f"prt_{NO_ROW}_a_",
    f"prt_{NO_ROW}_x_Z3VpZGU",
    f"prt_{NO_ROW}_a_Z3VpZGV",
    f"prt_{NO_ROW}_a_AA",
    f"prt_{NO_ROW}_a__w",
    "agt_\0",
    "\ud800",
    "ünïcode",
]
ABSENT = [f"{kind}_{NO_ROW}" for kind in ("ses", "agt", "tsk", "apr", "aud")] + [
    f"msg_{NO_ROW}_1",
    f"prt_{NO_ROW}_a_Z3VpZGU",
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
TYPE_OF_FIELD = {"sessionId": "Session", "taskId": "Task"}


@pytest.fixture
async def objects(ann):
    """The id of one object of every type, by type."""
    session = await ann.creates_session("Objects")
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


async def test_only_the_owner_reads_nodes(ann, bob, objects):
    for kind, object_id in objects.items():
        document = "query ($id: ID!) { node(id: $id) { __typename id } }"
        assert (await ann.asks(document, id=object_id))["node"] == {"__typename": kind, "id": object_id}
        assert (await bob.asks(document, id=object_id))["node"] is None


async def test_nodes_are_in_the_order_of_the_ids(ann, bob, objects):
    lookup = [*objects.values(), "nonsense", *reversed(objects.values())]
    found = list(objects.items())
    assert await nodes(ann, *lookup) == [*found, None, *reversed(found)]
    assert await nodes(bob, *lookup) == [None] * len(lookup)
    assert await nodes(ann) == []


async def test_more_than_a_hundred_ids_are_refused(ann, objects):
    assert len(await nodes(ann, *[objects["Session"]] * 100)) == 100
    response = await ann.responds(f"{{ nodes(ids: {['x'] * 101}) {{ id }} }}".replace("'", '"'))
    assert response["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("id", [*MALFORMED, *ABSENT])
async def test_unknown_id_is_absent_everywhere(ann, id):
    document = "query ($id: ID!) { node(id: $id) { id } session(id: $id) { id } agent(id: $id) { id } }"
    assert await ann.asks(document, id=id) == {"node": None, "session": None, "agent": None}
    for mutation, (field, more) in MUTATIONS.items():
        assert outcome(await ann.does(mutation, **{field: id}, **more)) == error("NOT_FOUND", field=field), mutation


async def test_id_of_another_type_is_absent(ann, objects):
    for kind, object_id in objects.items():
        found = await ann.asks("query ($id: ID!) { session(id: $id) { id } agent(id: $id) { id } }", id=object_id)
        assert [name for name, node in found.items() if node] == [kind.lower()] * (kind in ("Session", "Agent"))
        for mutation, (field, more) in MUTATIONS.items():
            takes = TYPE_OF_FIELD.get(field) or next(kind for kind in objects if kind in mutation)
            if takes != kind:
                payload = await ann.does(mutation, **{field: object_id}, **more)
                assert outcome(payload) == error("NOT_FOUND", field=field), (mutation, kind)


LOOKUPS = [
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


@pytest.mark.parametrize("lookup", LOOKUPS)
async def test_key_that_cannot_exist_is_refused(ann, objects, lookup):
    for name in ("a\0b", "half \ud800"):
        head = "query ($t: String!, $id: ID!)" if "$id" in lookup else "query ($t: String!)"
        where = {"id": objects["Session"]} if "$id" in lookup else {}
        response = await ann.responds(f"{head} {{ {lookup} }}", t=name, **where)
        [refused] = response["errors"]
        assert refused["extensions"] == {"code": "BAD_USER_INPUT"}
        assert "U+0000" in refused["message"]


async def test_erased_object_never_returns_under_its_id(ann, objects):
    await ann.does("deleteSession", id=objects["Session"], mode="HARD")
    await ann.does("deleteAgent", id=objects["Agent"])
    assert await nodes(ann, *objects.values()) == [None] * 6
    assert row_of(objects["Session"]) != row_of(await ann.creates_session())


async def test_viewer_is_the_subject_of_the_token(ann, bob, user):
    carl = user("carl", scopes=["chat:read"], roles=["lead", "auditor"])
    document = "{ viewer { id subject scopes roles } }"
    seen = [(await who.asks(document))["viewer"] for who in (ann, bob, carl)]
    assert [viewer["subject"] for viewer in seen] == [ann.name, bob.name, carl.name]
    assert len({viewer["id"] for viewer in seen}) == 3
    assert (seen[0]["scopes"], seen[2]["scopes"]) == (["chat:read", "chat:write"], ["chat:read"])
    assert (seen[0]["roles"], seen[2]["roles"]) == ([], ["lead", "auditor"])
    assert (await ann.asks(document))["viewer"] == seen[0]


async def test_read_scope_allows_no_mutations(user):
    reader = user("reader", scopes=["chat:read"])
    response = await reader.responds('mutation { createSession(input: {title: "no"}) { session { id } } }')
    assert [found["extensions"]["code"] for found in response["errors"]] == ["FORBIDDEN"]
    assert (await reader.asks("{ sessions { totalCount } }"))["sessions"]["totalCount"] == 0
