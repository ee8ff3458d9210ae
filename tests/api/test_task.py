"""Tasks: creation, status, filters and events, for their owner only."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.users import error, outcome

STATUSES = ["PENDING", "ACTIVE", "COMPLETED", "FAILED", "CANCELLED"]
TASK = "task { id type status revision }"


async def makes(user, **fields):
    """The id of a new task."""
    payload = await user.does("createTask", "task { id }", **{"type": "review", **fields})
    assert payload["errors"] == []
    return payload["task"]["id"]


async def found(user, **filter):
    answer = await user.asks("query ($filter: TaskFilter) { tasks(filter: $filter) { nodes { id } } }", filter=filter)
    return [node["id"] for node in answer["tasks"]["nodes"]]


async def reads(user, task, selection="status"):
    return (await user.asks(f"query ($id: ID!) {{ task(id: $id) {{ {selection} }} }}", id=task))["task"]


async def test_task_is_stored_as_sent(ann):
    session = await ann.creates_session("Plan")
    fields = {"fromRole": "planner", "toRole": "worker", "payload": {"b": 1, "a": "\0"}, "traceId": "t-1"}
    task = await makes(ann, sessionId=session, **fields)
    wanted = "type fromRole toRole payload traceId status session { id }"
    stored = {"type": "review", **fields, "status": "PENDING", "session": {"id": session}}
    assert await reads(ann, task, wanted) == stored
    node = await ann.asks("query ($id: ID!) { node(id: $id) { id ... on Task { type } } }", id=task)
    assert node["node"] == {"id": task, "type": "review"}


async def test_task_gets_the_trace_id_of_its_request(ann):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    query = 'mutation { createTask(input: {type: "review"}) { task { traceId } } }'
    response = await ann.responds(query, {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert response["data"]["createTask"]["task"]["traceId"] == trace


async def test_task_is_absent_for_another_owner(ann, bob):
    session = await ann.creates_session("Plan")
    task = await makes(ann, sessionId=session)
    assert await reads(bob, task) is None
    assert await found(bob) == []
    assert outcome(await bob.does("setTaskStatus", id=task, status="ACTIVE")) == error("NOT_FOUND", field="id")
    absent = error("NOT_FOUND", field="sessionId")
    assert outcome(await bob.does("createTask", type="review", sessionId=session)) == absent
    assert outcome(await bob.does("createTask", type="review", sessionId="nonsense")) == absent
    assert outcome(await bob.does("createSession", taskId=task)) == error("NOT_FOUND", field="taskId")
    assert await reads(ann, task) == {"status": "PENDING"}


@pytest.mark.parametrize("field", ["fromRole", "toRole", "traceId", "type"])
@pytest.mark.parametrize("value", ["", "x" * 256, "a\0b"])
async def test_invalid_task_names_the_field(ann, field, value):
    payload = await ann.does("createTask", **{"type": "review", field: value})
    assert outcome(payload) == error("VALIDATION", field=field)


@pytest.mark.parametrize("in_session", [True, False])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=6))
async def test_status_changes_follow_the_model(ann, in_session, wanted):
    task = await makes(ann, sessionId=await ann.creates_session() if in_session else None)
    now = "PENDING"
    for status in wanted:
        payload = await ann.does("setTaskStatus", TASK, id=task, status=status)
        allowed = {"PENDING": ["ACTIVE", "CANCELLED"], "ACTIVE": ["COMPLETED", "FAILED", "CANCELLED"]}.get(now, [])
        if status in allowed:
            now = status
            assert payload["task"]["status"] == now
        else:
            assert outcome(payload) == error("ILLEGAL_TRANSITION", field="status")
        assert await reads(ann, task) == {"status": now}


async def test_illegal_transition_names_both_statuses(ann):
    task = await makes(ann)
    query = """mutation ($id: ID!) { setTaskStatus(input: {id: $id, status: COMPLETED}) {
      errors { ... on IllegalTransitionError { fromStatus toStatus } } } }"""
    payload = (await ann.asks(query, id=task))["setTaskStatus"]
    assert payload["errors"] == [{"fromStatus": "PENDING", "toStatus": "COMPLETED"}]


@pytest.mark.parametrize("in_session", [True, False])
async def test_status_change_with_a_stale_revision_conflicts(ann, in_session):
    task = await makes(ann, sessionId=await ann.creates_session() if in_session else None)
    seen = (await reads(ann, task, "revision"))["revision"]
    step = await ann.does("setTaskStatus", TASK, id=task, status="ACTIVE", expectedRevision=seen)
    assert step["task"]["revision"] > seen
    late = await ann.does("setTaskStatus", TASK, id=task, status="CANCELLED", expectedRevision=seen)
    assert outcome(late) == error("CONFLICT", field="expectedRevision")
    assert late["errors"][0]["currentRevision"] == step["task"]["revision"]


async def test_filters_and_pages(ann):
    first = await makes(ann, type="a", fromRole="x", toRole="y", traceId="1")
    second = await makes(ann, type="b", fromRole="y", toRole="x", traceId="2")
    third = await makes(ann, type="b", sessionId=await ann.creates_session())
    await ann.does("setTaskStatus", id=third, status="ACTIVE")
    assert await found(ann) == [first, second, third]
    assert await found(ann, status=["ACTIVE", "FAILED"]) == [third]
    assert await found(ann, type="b", status=["PENDING"]) == [second]
    assert await found(ann, status=["PENDING", "ACTIVE", "PENDING"]) == [first, second, third]
    page = "query ($after: String) { tasks(first: 1, after: $after, filter: {status: [ACTIVE, PENDING]}) { edges { cursor node { id } } } }"
    cursor, listed = None, []
    for _ in range(3):
        [edge] = (await ann.asks(page, after=cursor))["tasks"]["edges"]
        cursor = edge["cursor"]
        listed.append(edge["node"]["id"])
    assert listed == [first, second, third]
    assert (await found(ann, fromRole="x"), await found(ann, toRole="x")) == ([first], [second])
    assert (await found(ann, traceId="2"), await found(ann, traceId="3")) == ([second], [])
    query = "query ($before: String) { tasks(last: 2, before: $before) { totalCount edges { cursor node { id } } } }"
    page = (await ann.asks(query))["tasks"]
    assert ([edge["node"]["id"] for edge in page["edges"]], page["totalCount"]) == ([second, third], 3)
    rest = (await ann.asks(query, before=page["edges"][0]["cursor"]))["tasks"]
    assert [edge["node"]["id"] for edge in rest["edges"]] == [first]


async def test_session_returns_its_tasks_and_the_task_it_works_on(ann):
    planning = await ann.creates_session("Plan")
    task, other = await makes(ann, sessionId=planning), await makes(ann, sessionId=planning, type="other")
    working = await ann.creates_session("Work", taskId=task)
    wanted = 'task { id } tasks(filter: {type: "review"}) { totalCount nodes { id } }'
    assert await ann.sees(planning, wanted) == {"task": None, "tasks": {"totalCount": 1, "nodes": [{"id": task}]}}
    assert await ann.sees(working, wanted) == {"task": {"id": task}, "tasks": {"totalCount": 0, "nodes": []}}
    query = "query ($filter: SessionFilter) { sessions(filter: $filter) { nodes { id } } }"
    for asked, expected in ((task, [{"id": working}]), (other, []), ("nonsense", [])):
        assert (await ann.asks(query, filter={"taskId": asked}))["sessions"]["nodes"] == expected


async def test_subscriber_receives_each_change_of_a_task(ann):
    session = await ann.creates_session("Plan")
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    async with ann.follows(session) as events:
        await events.until("CaughtUp")
        task = await makes(ann, sessionId=session)
        made = (await events.until("TaskChanged"))[-1]
        step = await ann.does("setTaskStatus", "cursor", id=task, status="ACTIVE")
        moved = (await events.until("TaskChanged"))[-1]
    assert [event["task"]["status"] for event in (made, moved)] == ["PENDING", "ACTIVE"]
    await makes(ann, sessionId=await ann.creates_session("Elsewhere"))
    seen = await ann.replays(session, start)
    assert [(event["__typename"], event.get("task")) for event in seen] == [
        ("TaskChanged", moved["task"]),
        ("CaughtUp", None),
    ]
    for cursor in (step["cursor"], moved["cursor"]):
        assert [event["__typename"] for event in await ann.replays(session, cursor)] == ["CaughtUp"]


async def test_task_outside_of_sessions_has_no_cursor(ann):
    payload = await ann.does("createTask", "cursor task { revision session { id } }", type="review")
    assert (payload["cursor"], payload["task"]) == (None, {"revision": 1, "session": None})


async def test_task_shares_the_deletion_of_its_session(ann):
    planning = await ann.creates_session("Plan")
    task = await makes(ann, sessionId=planning)
    working = await ann.creates_session("Work", taskId=task)
    await ann.does("deleteSession", id=planning)
    assert outcome(await ann.does("setTaskStatus", id=task, status="ACTIVE")) == error("NOT_FOUND", field="id")
    await ann.does("restoreSession", id=planning)
    assert (await ann.does("setTaskStatus", TASK, id=task, status="ACTIVE"))["errors"] == []
    await ann.does("deleteSession", id=planning, mode="HARD")
    assert await reads(ann, task) is None
    assert await ann.sees(working, "task { id }") == {"task": None}


async def test_each_change_of_a_task_is_audited_once(ann):
    task = await makes(ann, sessionId=await ann.creates_session())
    await ann.does("setTaskStatus", id=task, status="ACTIVE")
    await ann.does("setTaskStatus", id=task, status="PENDING")
    query = """query ($id: ID) { auditEvents(filter: {subjectId: $id}) {
      nodes { eventType metadata subject { ... on Task { status } } } } }"""
    events = (await ann.asks(query, id=task))["auditEvents"]["nodes"]
    assert [(event["eventType"], event["metadata"]) for event in events] == [
        ("task.created", {}),
        ("task.status_changed", {"fromStatus": "PENDING", "toStatus": "ACTIVE"}),
    ]
    assert events[0]["subject"] == {"status": "ACTIVE"}
