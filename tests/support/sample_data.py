"""One of everything that somebody can own, and how to ask for it: what the walk over the schema walks on.

A new field with arguments, a new kind of node or of event needs an entry in `RECIPES`, and its thing in `World`.
"""

import json
import re
from typing import Any
from uuid import uuid4

from tests.support.users import User

BLOCKS = [
    {"text": "said"},
    {"reasoningContent": {"reasoningText": {"text": "thought"}}},
    {"toolUse": {"toolUseId": "c1", "name": "sum", "input": {"a": 1}}},
    {"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": "2"}]}},
    {"document": {"format": "pdf", "name": "plan", "source": {"bytes": {"__bytes_encoded__": True, "data": "UERG"}}}},
    {"cachePoint": {"type": "default"}},
]
AUDITED = ("agent", "redacted", "task", "approval")
NAMES = {
    "mark",
    "trace",
    "session_key",
    "agent_key",
    "part_key",
    "message_key",
    "stream_key",
    "fence",
}  # what in a world is no id
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MOMENT, LATER = "2026-01-31T12:00:00.000000Z", "2999-01-31T12:00:00.000000Z"

TASKS = {"status": ["PENDING"], "type": "$mark", "fromRole": "$mark", "toRole": "$mark", "traceId": "$trace"}
APPROVALS = {"status": ["APPROVED"], "approverRole": "$mark"}

# Arguments by which the owner of a world finds what is hers; "$name" is `world["name"]`. The walk goes on below
# the first recipe only, or below every one that says by `on` which kind of thing it leads to, unless that `ends`.
RECIPES: dict[str, list[dict[str, Any]]] = {
    "Query.node": [
        {"on": "Session", "id": "$session"},
        {"on": "Message", "id": "$message"},
        {"on": "SessionAgent", "id": "$part"},
        {"on": "Agent", "id": "$agent"},
        {"on": "Task", "id": "$task"},
        {"on": "Approval", "id": "$approval"},
        {"on": "AuditEvent", "id": "$audit", "ends": True},  # `nodes` goes on: it has one of every subject
    ],
    "Query.nodes": [
        {"on": "Session", "ids": ["$session", "$archived", "$deleted"]},
        {"on": "Message", "ids": ["$message", "$redacted"]},
        {"on": "SessionAgent", "ids": ["$part"]},
        {"on": "Agent", "ids": ["$agent"]},
        {"on": "Task", "ids": ["$task"]},
        {"on": "Approval", "ids": ["$approval", "$pending"]},
        {"on": "AuditEvent", "ids": ["$audit", *(f"$audit_of_{kind}" for kind in AUDITED)]},
    ],
    "Query.session": [{"id": "$session"}, {"key": "$session_key"}, {"id": "$archived"}, {"id": "$deleted"}],
    "Query.sessions": [
        {},
        {"filter": {"status": ["ACTIVE"], "agentType": "$mark", "role": "$mark", "query": "$mark", "taskId": "$task"}},
        {"filter": {"archived": True}},
        {"filter": {"deleted": True}},
    ],
    "Query.agent": [{"id": "$agent"}, {"key": "$agent_key"}],
    "Query.agents": [
        {},
        {
            "filter": {
                "status": ["AVAILABLE"],
                "type": "$mark",
                "skills": ["$mark"],
                "maxHourlyRate": "100",
                "query": "$mark",
            }
        },
    ],
    "Query.auditEvents": [
        {"first": 40},
        {
            "filter": {
                "eventType": "session.created",
                "role": "$mark",
                "traceId": "$trace",
                "subjectId": "$session",
                "since": MOMENT,
                "until": LATER,
            }
        },
    ],
    "AuditEvent.subject": [{"on": kind} for kind in ("Session", "Message", "Agent", "Task", "Approval")],
    "Query.task": [{"id": "$own_task"}, {"id": "$task"}],
    "Query.tasks": [{}, {"filter": TASKS}],
    "Query.approvals": [{}, {"filter": APPROVALS}],
    "Session.approvals": [{}, {"filter": APPROVALS}],
    "Query.searchMessages": [
        {"query": "$mark"},
        {
            "query": "$mark",
            "filter": {
                "sessionId": "$session",
                "agentType": "$mark",
                "role": ["ASSISTANT"],
                "since": MOMENT,
                "until": LATER,
            },
        },
    ],
    "Session.tasks": [{}, {"filter": TASKS}],
    "Session.message": [{"id": "$message"}, {"sequence": 1}, {"key": "$message_key", "agentKey": "$part_key"}],
    "Session.messages": [{}, {"filter": {"role": ["ASSISTANT"], "agentKey": "$part_key", "status": ["COMPLETE"]}}],
    "Session.agent": [{"key": "$part_key", "kind": "AGENT"}],
    "Subscription.sessionEvents": [
        {"sessionId": "$session", "after": "$start", "follow": False},
        {"sessionId": "$session", "after": "$seen", "follow": False},
        {"sessionId": "$session", "after": "nonsense", "follow": False},
        {"sessionId": "$erased", "after": "$erased_start", "follow": False},
    ],
    "Subscription.viewerEvents": [
        {"after": "$viewer_start", "follow": False},
        {"after": "nonsense", "follow": False},
    ],
    "Mutation.createSession": [{"input": {"title": "another"}}, {"input": {"taskId": "$task"}}],
    "Mutation.updateSession": [{"input": {"id": "$session", "title": "other"}}],
    "Mutation.setSessionStatus": [{"input": {"id": "$session", "status": "COMPLETED"}}],
    "Mutation.archiveSession": [{"input": {"id": "$session"}}],
    "Mutation.restoreSession": [{"input": {"id": "$archived"}}, {"input": {"id": "$deleted"}}],
    "Mutation.deleteSession": [{"input": {"id": "$session", "mode": mode}} for mode in ("SOFT", "HARD")],
    "Mutation.markSessionRead": [{"input": {"id": "$session", "upToSequence": 1}}],
    "Mutation.appendMessage": [
        {"input": {"sessionId": "$session", "message": {"role": "ASSISTANT", "text": "t", "agentKey": "$part_key"}}},
        {"input": {"sessionId": "$archived", "message": {"role": "USER", "text": "t"}}},
    ],
    "Mutation.appendMessages": [{"input": {"sessionId": "$session", "messages": [{"role": "USER", "text": "t"}]}}],
    "Mutation.updateMessage": [{"input": {"id": "$message", "text": "other"}}],
    "Mutation.redactMessage": [{"input": {"id": "$message", "text": "t"}}],
    "Mutation.deleteMessage": [{"input": {"id": "$message"}}],
    "Mutation.startMessage": [
        {"input": {"sessionId": "$session", "agentKey": "$part_key"}},
        {"input": {"sessionId": "$home", "key": "$stream_key"}},
    ],
    "Mutation.extendMessage": [{"input": {"id": "$streaming", "fence": "$fence", "offset": 32, "text": "more"}}],
    "Mutation.finishMessage": [{"input": {"id": "$streaming", "fence": "$fence"}}],
    "Mutation.cancelMessage": [{"input": {"id": "$streaming"}}],
    "Mutation.putSessionAgent": [
        {"input": {"sessionId": "$session", "key": "$part_key", "agentId": "$agent", "mode": mode}}
        for mode in ("UPDATE", "UPSERT")
    ],
    "Mutation.createAgent": [{"input": {"name": "another", "type": "helper"}}],
    "Mutation.updateAgent": [{"input": {"id": "$agent", "name": "other"}}],
    "Mutation.setAgentStatus": [{"input": {"id": "$agent", "status": "BUSY"}}],
    "Mutation.deleteAgent": [{"input": {"id": "$agent"}}],
    "Mutation.createTask": [{"input": {"sessionId": "$session", "type": "t"}}],
    "Mutation.setTaskStatus": [{"input": {"id": "$task", "status": "ACTIVE"}}],
    "Mutation.requestApproval": [
        {"input": {"taskId": "$task", "messageId": "$message", "toolUseId": "c1"}},
        {"input": {"taskId": "$task", "sessionId": "$session"}},
    ],
    "Mutation.decideApproval": [{"input": {"id": "$pending", "decision": "APPROVE"}}],
}


class World(dict[str, str]):
    """Ids, keys and cursors by name. All that its owner has said or named holds `mark`."""

    def fill(self, template: Any) -> Any:
        """The template with the names in it replaced by what they stand for here."""
        if isinstance(template, dict):
            return {name: self.fill(value) for name, value in template.items()}
        if isinstance(template, list):
            return [self.fill(value) for value in template]
        if isinstance(template, str) and template.startswith("$"):
            return self[template[1:]]
        return template

    def secrets(self) -> set[str]:
        """What nobody else's answer may hold: the mark, and the distinctive part of every id."""
        return {self["mark"], *(row for value in self.values() for row in UUID.findall(value))}

    def elsewhere(self) -> "World":
        """The same names for things that never were."""
        rows = {secret: str(uuid4()) for secret in self.secrets() - {self["mark"]}}
        return World({name: _renamed(value, rows | {self["mark"]: uuid4().hex}) for name, value in self.items()})


async def _did(user: User, mutation: str, **given: Any) -> None:
    payload = await user.does(mutation, **given)
    assert payload["errors"] == [], (mutation, payload)


def _renamed(value: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        value = value.replace(old, new)
    return value


async def world_of(user: User, mark: str) -> World:
    """Makes one of everything for somebody whose token's first role is `mark`."""
    world = World(mark=mark, trace=uuid4().hex, session_key=f"{mark}-session", agent_key=f"{mark}-agent")
    world |= {"part_key": f"{mark}-part", "message_key": f"{mark}-message", "stream_key": f"{mark}-stream"}
    world["viewer_start"] = await user.now()
    await _make_agent(user, world)
    world["home"] = await user.creates_session(f"{mark} home")
    world["task"] = await _task(user, world, world["home"])
    await _make_stream(user, world)
    await _make_session(user, world)
    await _make_messages(user, world)
    await _make_work(user, world)
    await _change(user, world)
    for name, mutation in (("archived", "archiveSession"), ("deleted", "deleteSession")):
        world[name] = await user.creates_session(f"{mark} {name}")
        await _did(user, mutation, id=world[name])
    world["erased"] = await user.creates_session(f"{mark} erased")
    world["erased_start"] = (await user.sees(world["erased"], "eventCursor"))["eventCursor"]
    await _did(user, "deleteSession", id=world["erased"], mode="HARD")
    return world


async def _make_agent(user: User, world: World) -> None:
    mark = world["mark"]
    given = {"key": world["agent_key"], "name": mark, "type": mark, "description": mark, "hourlyRate": "12.50"}
    made = await user.does("createAgent", "agent { id }", skills=[mark], metadata={"of": mark}, **given)
    world["agent"] = made["agent"]["id"]


async def _make_session(user: User, world: World) -> None:
    mark = world["mark"]
    given = {"title": mark, "role": mark, "agentType": mark, "metadata": {"of": mark}, "status": "ACTIVE"}
    times = {"clientCreatedAt": MOMENT, "expiresAt": LATER}
    created = await user.responds(
        "mutation ($i: CreateSessionInput!) { createSession(input: $i) { session { id eventCursor } } }",
        headers={"traceparent": f"00-{world['trace']}-{'1' * 16}-01"},
        i={"key": world["session_key"], "taskId": world["task"], **given, **times},
    )
    session = created["data"]["createSession"]["session"]
    world |= {"session": session["id"], "start": session["eventCursor"]}
    states = {"state": {"of": mark}, "conversationManagerState": {"of": mark}, "internalState": {"of": mark}}
    put = {"sessionId": session["id"], "key": world["part_key"], "agentId": world["agent"], "raw": f'"{mark}"'}
    made = await user.does("putSessionAgent", "sessionAgent { id }", clientCreatedAt=MOMENT, **put, **states)
    world["part"] = made["sessionAgent"]["id"]


async def _audit_of(user: User, subject: str) -> str:
    asked = "query ($id: ID) { auditEvents(filter: {subjectId: $id}) { nodes { id } } }"
    found: str = (await user.asks(asked, id=subject))["auditEvents"]["nodes"][0]["id"]
    return found


async def _make_messages(user: User, world: World) -> None:
    """A question, and whole answers: one to stay, one to be redacted, one to be deleted, and the last."""
    mark, session = world["mark"], world["session"]
    raw = json.dumps({"role": "assistant", "content": [*BLOCKS, {"text": mark}]})
    said = {"agentKey": world["part_key"], "raw": raw, "metadata": {"of": mark}, "clientCreatedAt": MOMENT}
    usage = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
    whole = [{"role": "ASSISTANT", "usage": usage, "key": key, **said} for key in (world["message_key"], "r", "d", "l")]
    await _did(user, "appendMessages", sessionId=session, messages=[{"role": "USER", "text": mark}, *whole])
    row = session.removeprefix("ses_")
    world |= {"message": f"msg_{row}_2", "redacted": f"msg_{row}_3", "removed": f"msg_{row}_4", "last": f"msg_{row}_5"}
    world["raw"] = raw


async def _make_stream(user: User, world: World) -> None:
    """A message that is being written."""
    given = {"sessionId": world["home"], "key": world["stream_key"], "metadata": {"of": world["mark"]}}
    begun = await user.does("startMessage", "message { id } fence", **given)
    world |= {"streaming": begun["message"]["id"], "fence": begun["fence"]}
    await _did(user, "extendMessage", id=world["streaming"], fence=world["fence"], offset=0, text=world["mark"])


async def _task(user: User, world: World, session: str) -> str:
    mark = world["mark"]
    given = {"type": mark, "fromRole": mark, "toRole": mark, "payload": {"of": mark}, "traceId": world["trace"]}
    made = await user.does("createTask", "task { id }", sessionId=session, **given)
    found: str = made["task"]["id"]
    return found


async def _make_work(user: User, world: World) -> None:
    """A task of the session's own, and approvals of the same call in three messages: all decided but for one more."""
    mark = world["mark"]
    world["own_task"] = await _task(user, world, world["session"])
    asked = {"taskId": world["own_task"], "toolUseId": "c1", "approverRole": mark, "notes": mark}
    for name, message in (("approval", "message"), ("", "redacted"), ("", "last"), ("pending", "message")):
        made = await user.does("requestApproval", "approval { id }", messageId=world[message], **asked)
        if name:
            world[name] = made["approval"]["id"]
        if name != "pending":
            await _did(user, "decideApproval", id=made["approval"]["id"], decision="APPROVE", notes=mark)


async def _change(user: User, world: World) -> None:
    """What readers have seen before `seen` and is changed after it; who did what to which thing."""
    await _did(user, "redactMessage", id=world["redacted"], raw=world["raw"])
    world["audit"] = await _audit_of(user, world["session"])
    for kind in AUDITED:
        world[f"audit_of_{kind}"] = await _audit_of(user, world[kind])
    world["seen"] = (await user.sees(world["session"], "eventCursor"))["eventCursor"]
    await _did(user, "deleteMessage", id=world["removed"])
    await _did(user, "updateMessage", id=world["message"], metadata={"changed": world["mark"]})
    await _did(user, "updateSession", id=world["session"], metadata={"changed": world["mark"]})
