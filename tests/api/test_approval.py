"""Approvals: requests, decisions, filters and events, for their owner only."""

import asyncio
import json

import pytest

from tests.support.users import error, outcome

APPROVAL = "approval { id status notes decidedBy decidedAt approverRole toolUseId }"


async def requests(user, **fields):
    """The id of a new approval."""
    payload = await user.does("requestApproval", "approval { id }", **fields)
    assert payload["errors"] == []
    return payload["approval"]["id"]


async def makes_task(user, **fields):
    return (await user.does("createTask", "task { id }", type="review", **fields))["task"]["id"]


async def calls(user, session, *names):
    """The id of a message with tool calls of these ids."""
    parts = [{"toolUse": {"toolUseId": name, "name": "shell", "input": {}}} for name in names]
    message = {"role": "ASSISTANT", "raw": json.dumps({"role": "assistant", "content": parts})}
    return (await user.does("appendMessage", "message { id }", sessionId=session, message=message))["message"]["id"]


async def reads(user, approval, selection="status"):
    query = f"query ($id: ID!) {{ node(id: $id) {{ ... on Approval {{ {selection} }} }} }}"
    return (await user.asks(query, id=approval))["node"]


async def found(user, **filter):
    query = "query ($filter: ApprovalFilter) { approvals(filter: $filter) { nodes { id } } }"
    return [node["id"] for node in (await user.asks(query, filter=filter))["approvals"]["nodes"]]


async def decides(user, approval, decision="APPROVE", **fields):
    return await user.does("decideApproval", APPROVAL, id=approval, decision=decision, **fields)


async def test_approval_for_a_tool_call_is_decided(ann):
    session = await ann.creates_session("Plan")
    message = await calls(ann, session, "call-1")
    approval = await requests(ann, messageId=message, toolUseId="call-1", notes="rm -rf /")
    wanted = "status notes toolUseId task { id } session { id } message { id } decidedBy decidedAt"
    assert await reads(ann, approval, wanted) == {
        "status": "PENDING",
        "notes": "rm -rf /",
        "toolUseId": "call-1",
        "task": None,
        "session": {"id": session},
        "message": {"id": message},
        "decidedBy": None,
        "decidedAt": None,
    }
    decided = (await decides(ann, approval, "REJECT"))["approval"]
    assert (decided["status"], decided["notes"], decided["decidedBy"]) == ("REJECTED", "rm -rf /", ann.name)
    assert decided["decidedAt"] is not None


@pytest.mark.parametrize(
    ("decision", "status"), [("APPROVE", "APPROVED"), ("REJECT", "REJECTED"), ("CANCEL", "CANCELLED")]
)
async def test_approval_for_a_task_is_decided_once(ann, decision, status):
    approval = await requests(ann, taskId=await makes_task(ann))
    decided = (await decides(ann, approval, decision, notes="because"))["approval"]
    assert (decided["status"], decided["notes"]) == (status, "because")
    for other in ("APPROVE", "REJECT", "CANCEL"):
        assert outcome(await decides(ann, approval, other)) == error("CONFLICT", field="id")
    assert await reads(ann, approval, "status notes") == {"status": status, "notes": "because"}


@pytest.mark.parametrize("in_session", [True, False])
async def test_first_of_concurrent_decisions_wins(ann, in_session):
    session = await ann.creates_session() if in_session else None
    approval = await requests(ann, taskId=await makes_task(ann, sessionId=session))
    decisions = ["APPROVE", "REJECT"] * 16
    payloads = await asyncio.gather(*(decides(ann, approval, decision) for decision in decisions))
    [winner] = [payload["approval"] for payload in payloads if not payload["errors"]]
    losers = [outcome(payload) for payload in payloads if payload["errors"]]
    assert losers == [error("CONFLICT", field="id")] * 31
    assert await reads(ann, approval) == {"status": winner["status"]}
    query = "query ($id: ID) { auditEvents(filter: {subjectId: $id}) { nodes { eventType } } }"
    events = (await ann.asks(query, id=approval))["auditEvents"]["nodes"]
    assert [event["eventType"] for event in events] == ["approval.requested", "approval.decided"]


async def test_only_the_approver_role_of_the_owner_decides(server, user):
    ann = user("ann")
    approver = server.user(ann.name, roles=["clerk", "lead"])
    stranger = user("bob", roles=["lead"])
    approval = await requests(ann, taskId=await makes_task(ann), approverRole="lead")
    assert outcome(await decides(ann, approval, "CANCEL")) == error("FORBIDDEN", field="id")
    assert outcome(await decides(stranger, approval)) == error("NOT_FOUND", field="id")
    assert await reads(stranger, approval) is None
    assert await found(stranger) == []
    assert (await decides(approver, approval))["approval"]["status"] == "APPROVED"
    query = '{ auditEvents(filter: {eventType: "approval.decided"}) { nodes { actor role metadata } } }'
    events = (await ann.asks(query))["auditEvents"]["nodes"]
    assert events == [{"actor": ann.name, "role": "lead", "metadata": {"status": "APPROVED"}}]


async def test_inconsistent_request_names_the_wrong_field(ann):
    session, other = await ann.creates_session("Plan"), await ann.creates_session("Other")
    message, task = await calls(ann, session, "call"), await makes_task(ann, sessionId=session)
    gone = await calls(ann, session, "call")
    await ann.does("deleteMessage", id=gone)
    for fields, refusal in (
        ({}, error("VALIDATION", field="taskId")),
        ({"sessionId": session}, error("VALIDATION", field="taskId")),
        ({"messageId": message}, error("VALIDATION", field="toolUseId")),
        ({"taskId": task, "toolUseId": "call"}, error("VALIDATION", field="messageId")),
        ({"messageId": message, "toolUseId": ""}, error("VALIDATION", field="toolUseId")),
        ({"messageId": message, "toolUseId": "call", "sessionId": other}, error("VALIDATION", field="sessionId")),
        ({"taskId": task, "sessionId": other}, error("VALIDATION", field="taskId")),
        ({"taskId": task, "approverRole": "a\0b"}, error("VALIDATION", field="approverRole")),
        ({"taskId": task, "notes": "x" * 10_001}, error("VALIDATION", field="notes")),
        ({"taskId": session}, error("NOT_FOUND", field="taskId")),
        ({"taskId": task, "sessionId": task}, error("NOT_FOUND", field="sessionId")),
        ({"messageId": gone, "toolUseId": "call"}, error("NOT_FOUND", field="messageId")),
        ({"messageId": message, "toolUseId": "other"}, error("NOT_FOUND", field="toolUseId")),
        ({"messageId": message + "9", "toolUseId": "call"}, error("NOT_FOUND", field="messageId")),
    ):
        assert outcome(await ann.does("requestApproval", **fields)) == refusal, fields
    assert await found(ann) == []


async def test_approval_for_objects_of_another_owner_is_refused(ann, bob):
    session = await ann.creates_session("Plan")
    message, task = await calls(ann, session, "call"), await makes_task(ann, sessionId=session)
    alone = await makes_task(ann)
    own = await makes_task(bob)
    for fields, field in (
        ({"taskId": task}, "taskId"),
        ({"taskId": alone}, "taskId"),
        ({"messageId": message, "toolUseId": "call"}, "messageId"),
        ({"taskId": own, "sessionId": session}, "sessionId"),
    ):
        assert outcome(await bob.does("requestApproval", **fields)) == error("NOT_FOUND", field=field)


async def test_approval_is_in_the_session_of_the_message_or_the_task(ann):
    planning = await ann.creates_session("Plan")
    task = await makes_task(ann, sessionId=planning)
    working = await ann.creates_session("Work", taskId=task)
    call = await calls(ann, working, "call")
    here = await requests(ann, taskId=task)
    there = await requests(ann, taskId=task, messageId=call, toolUseId="call")
    anywhere = await requests(ann, taskId=await makes_task(ann), sessionId=planning)
    wanted = "approvals { nodes { id } } pendingApprovalCount"
    assert await ann.sees(planning, wanted) == {
        "approvals": {"nodes": [{"id": here}, {"id": anywhere}]},
        "pendingApprovalCount": 2,
    }
    await decides(ann, there)
    assert await ann.sees(working, wanted) == {"approvals": {"nodes": [{"id": there}]}, "pendingApprovalCount": 0}
    await ann.does("deleteSession", id=planning, mode="HARD")
    assert await reads(ann, here) is None
    assert await reads(ann, there, "status task { id }") == {"status": "APPROVED", "task": None}


async def test_filters_and_pages(ann):
    session = await ann.creates_session("Plan")
    message, task = await calls(ann, session, "a", "b"), await makes_task(ann, sessionId=session)
    first = await requests(ann, taskId=task)
    second = await requests(ann, messageId=message, toolUseId="a", approverRole="lead")
    third = await requests(ann, messageId=message, toolUseId="b", taskId=task)
    await decides(ann, third)
    assert await found(ann) == [first, second, third]
    assert await found(ann, status=["PENDING"]) == [first, second]
    assert await found(ann, status=["APPROVED", "PENDING", "APPROVED"]) == [first, second, third]
    assert await found(ann, status=[]) == []
    assert await found(ann, approverRole="lead", status=["PENDING", "APPROVED"]) == [second]
    assert await found(ann, approverRole="clerk") == []
    below = await ann.sees(
        session,
        """all: approvals(last: 1) { totalCount nodes { id } pageInfo { hasPreviousPage } }
        open: approvals(filter: {status: [PENDING]}) { nodes { id } } pendingApprovalCount
        messages { nodes { approvals { totalCount nodes { id } } } }
        tasks { nodes { approvals { nodes { id } } } }""",
    )
    assert below == {
        "all": {"totalCount": 3, "nodes": [{"id": third}], "pageInfo": {"hasPreviousPage": True}},
        "open": {"nodes": [{"id": first}, {"id": second}]},
        "pendingApprovalCount": 2,
        "messages": {"nodes": [{"approvals": {"totalCount": 2, "nodes": [{"id": second}, {"id": third}]}}]},
        "tasks": {"nodes": [{"approvals": {"nodes": [{"id": first}, {"id": third}]}}]},
    }


async def test_subscriber_receives_each_change_of_an_approval(ann):
    session = await ann.creates_session("Plan")
    task = await makes_task(ann, sessionId=session)
    start = (await ann.sees(session, "eventCursor"))["eventCursor"]
    async with ann.follows(session) as events:
        await events.until("CaughtUp")
        approval = await requests(ann, taskId=task)
        asked = (await events.until("ApprovalChanged"))[-1]
        step = await ann.does("decideApproval", "cursor", id=approval, decision="APPROVE", notes="fine")
        decided = (await events.until("ApprovalChanged"))[-1]
    assert asked["approval"] == {"id": approval, "status": "PENDING", "notes": None}
    assert decided["approval"] == {"id": approval, "status": "APPROVED", "notes": "fine"}
    seen = await ann.replays(session, start)
    assert [event["__typename"] for event in seen] == ["ApprovalChanged", "CaughtUp"]
    assert seen[0]["approval"] == decided["approval"]
    assert [event["__typename"] for event in await ann.replays(session, step["cursor"])] == ["CaughtUp"]


async def test_deleted_session_accepts_no_requests_and_decisions(ann):
    session = await ann.creates_session("Plan")
    message = await calls(ann, session, "a", "b")
    approval = await requests(ann, messageId=message, toolUseId="a")
    await ann.does("deleteSession", id=session)
    assert outcome(await decides(ann, approval)) == error("NOT_FOUND", field="id")
    again = await ann.does("requestApproval", messageId=message, toolUseId="b")
    assert outcome(again) == error("NOT_FOUND", field="messageId")
    assert await reads(ann, approval) == {"status": "PENDING"}
