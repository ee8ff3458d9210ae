"""One of everything that a user can own, and the arguments that find it: the data of the schema walk.

A new field with arguments, a new type of node or of event needs an entry in `RECIPES` and a value in `SampleData`.
"""

import json
import re
from base64 import b64encode
from typing import Any
from uuid import uuid4

from tests.support.users import User

BLOCKS = [
    {"text": "said"},
    {"reasoningContent": {"reasoningText": {"text": "thought"}}},
    {"toolUse": {"toolUseId": "c1", "name": "sum", "input": {"a": 1}}},
    {"toolResult": {"toolUseId": "c1", "status": "success", "content": [{"text": "2"}]}},
    {"document": {"format": "pdf", "name": "plan", "source": {"bytes": {"__bytes_encoded__": True, "data": "UERG"}}}},
    {"type": "source-document", "url": "https://tea.example/plan", "title": "plan", "filename": "plan.pdf"},
    {"type": "data-plan", "data": {"step": 1}},
    {"cachePoint": {"type": "default"}},
]
AUDITED = ("agent", "redacted", "task", "approval")
NOT_IDS = {
    "mark",
    "trace",
    "session_key",
    "agent_key",
    "part_key",
    "message_key",
    "stream_key",
    "fence",
    "parts_fence",
    "record_key",
}
"""The names in `SampleData` whose values are not ids."""
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MOMENT, LATER = "2026-01-31T12:00:00.000000Z", "2999-01-31T12:00:00.000000Z"

TASKS = {"status": ["PENDING"], "type": "$mark", "fromRole": "$mark", "toRole": "$mark", "traceId": "$trace"}
APPROVALS = {"status": ["APPROVED"], "approverRole": "$mark"}

# Arguments with which the owner of sample data finds it; "$name" stands for `data["name"]`. The walk continues below
# the first recipe of a field, and below every recipe whose `on` names the type that it leads to, unless it has `ends`.
RECIPES: dict[str, list[dict[str, Any]]] = {
    "Query.node": [
        {"on": "Session", "id": "$session"},
        {"on": "Message", "id": "$message"},
        {"on": "SessionAgent", "id": "$part"},
        {"on": "Agent", "id": "$agent"},
        {"on": "Task", "id": "$task"},
        {"on": "Approval", "id": "$approval"},
        {"on": "Record", "id": "$record"},
        {
            "on": "AuditEvent",
            "id": "$audit",
            "ends": True,
        },  # the walk continues below `nodes`, which has one of every subject
    ],
    "Query.nodes": [
        {"on": "Session", "ids": ["$session", "$archived", "$deleted"]},
        {"on": "Message", "ids": ["$message", "$redacted"]},
        {"on": "SessionAgent", "ids": ["$part"]},
        {"on": "Agent", "ids": ["$agent"]},
        {"on": "Task", "ids": ["$task"]},
        {"on": "Approval", "ids": ["$approval", "$pending"]},
        {"on": "Record", "ids": ["$record", "$binary_record"]},
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
    "Query.record": [
        {"namespace": ["$mark", "memories"], "key": "$record_key"},
        {"namespace": ["$mark"], "key": "$record_key"},
    ],
    "Query.records": [
        {},
        {
            "namespacePrefix": ["$mark"],
            "filter": {
                "metadataContains": {"of": "$mark"},
                "keyFrom": "$record_key",
                "keyTo": "$record_key",
                "text": "$mark",
            },
        },
    ],
    "Query.recordNamespaces": [{}, {"prefix": ["$mark"], "suffix": ["memories"], "maxDepth": 2}],
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
    "Mutation.extendMessage": [
        {"input": {"id": "$streaming", "fence": "$fence", "offset": 32, "text": "more"}},
        {"input": {"id": "$in_parts", "fence": "$parts_fence", "offset": 1, "parts": [{"more": 1}]}},
    ],
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
    "Mutation.putRecords": [
        {"input": {"records": [{"namespace": ["$mark"], "key": "other", "value": 1, "sessionId": "$session"}]}},
        # The names of records are their owner's own: with those of another owner, other records are found.
        {"input": {"records": [{"namespace": ["shared"], "key": "k", "value": 1}]}},
    ],
    "Mutation.deleteRecords": [
        {"input": {"keys": [{"namespace": ["shared"], "key": "k"}]}},
        {"input": {"namespacePrefix": []}},
    ],
    "Mutation.createTask": [{"input": {"sessionId": "$session", "type": "t"}}],
    "Mutation.setTaskStatus": [{"input": {"id": "$task", "status": "ACTIVE"}}],
    "Mutation.requestApproval": [
        {"input": {"taskId": "$task", "messageId": "$message", "toolUseId": "c1"}},
        {"input": {"taskId": "$task", "sessionId": "$session"}},
    ],
    "Mutation.decideApproval": [{"input": {"id": "$pending", "decision": "APPROVE"}}],
}


class SampleData(dict[str, str]):
    """Ids, keys and cursors by name. Every text that the owner has stored contains the value of `mark`."""

    def fill(self, template: Any) -> Any:
        """The template with the values of the names in it."""
        if isinstance(template, dict):
            return {name: self.fill(value) for name, value in template.items()}
        if isinstance(template, list):
            return [self.fill(value) for value in template]
        if isinstance(template, str) and template.startswith("$"):
            return self[template[1:]]
        return template

    def secrets(self) -> set[str]:
        """What no response to another user may contain: the mark, and the UUID of every id."""
        return {self["mark"], *(row for value in self.values() for row in UUID.findall(value))}

    def nonexistent(self) -> "SampleData":
        """The same names with ids and keys that never existed."""
        rows = {secret: str(uuid4()) for secret in self.secrets() - {self["mark"]}}
        return SampleData({name: _renamed(value, rows | {self["mark"]: uuid4().hex}) for name, value in self.items()})


async def _do(user: User, mutation: str, **fields: Any) -> None:
    payload = await user.does(mutation, **fields)
    assert payload["errors"] == [], (mutation, payload)


def _renamed(value: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        value = value.replace(old, new)
    return value


async def create_sample_data(user: User, mark: str) -> SampleData:
    """Creates one of everything for a user whose token's first role is `mark`."""
    data = SampleData(mark=mark, trace=uuid4().hex, session_key=f"{mark}-session", agent_key=f"{mark}-agent")
    data |= {"part_key": f"{mark}-part", "message_key": f"{mark}-message", "stream_key": f"{mark}-stream"}
    data["viewer_start"] = await user.now()
    await _make_agent(user, data)
    data["home"] = await user.creates_session(f"{mark} home")
    data["task"] = await _task(user, data, data["home"])
    await _make_stream(user, data)
    await _make_session(user, data)
    await _make_messages(user, data)
    await _make_work(user, data)
    await _make_records(user, data)
    await _change(user, data)
    for name, mutation in (("archived", "archiveSession"), ("deleted", "deleteSession")):
        data[name] = await user.creates_session(f"{mark} {name}")
        await _do(user, mutation, id=data[name])
    data["erased"] = await user.creates_session(f"{mark} erased")
    data["erased_start"] = (await user.sees(data["erased"], "eventCursor"))["eventCursor"]
    await _do(user, "deleteSession", id=data["erased"], mode="HARD")
    return data


async def _make_agent(user: User, data: SampleData) -> None:
    mark = data["mark"]
    fields = {"key": data["agent_key"], "name": mark, "type": mark, "description": mark, "hourlyRate": "12.50"}
    made = await user.does("createAgent", "agent { id }", skills=[mark], metadata={"of": mark}, **fields)
    data["agent"] = made["agent"]["id"]


async def _make_session(user: User, data: SampleData) -> None:
    mark = data["mark"]
    fields = {"title": mark, "role": mark, "agentType": mark, "metadata": {"of": mark}, "status": "ACTIVE"}
    times = {"clientCreatedAt": MOMENT, "expiresAt": LATER}
    created = await user.responds(
        "mutation ($i: CreateSessionInput!) { createSession(input: $i) { session { id eventCursor } } }",
        headers={"traceparent": f"00-{data['trace']}-{'1' * 16}-01"},
        i={"key": data["session_key"], "taskId": data["task"], **fields, **times},
    )
    session = created["data"]["createSession"]["session"]
    data |= {"session": session["id"], "start": session["eventCursor"]}
    states = {"state": {"of": mark}, "conversationManagerState": {"of": mark}, "internalState": {"of": mark}}
    put = {"sessionId": session["id"], "key": data["part_key"], "agentId": data["agent"], "raw": f'"{mark}"'}
    made = await user.does("putSessionAgent", "sessionAgent { id }", clientCreatedAt=MOMENT, **put, **states)
    data["part"] = made["sessionAgent"]["id"]


async def _audit_of(user: User, subject: str) -> str:
    query = "query ($id: ID) { auditEvents(filter: {subjectId: $id}) { nodes { id } } }"
    event: str = (await user.asks(query, id=subject))["auditEvents"]["nodes"][0]["id"]
    return event


async def _make_messages(user: User, data: SampleData) -> None:
    """A question and complete answers: one that stays, one to redact, one to delete, and the last one."""
    mark, session = data["mark"], data["session"]
    raw = json.dumps({"role": "assistant", "content": [*BLOCKS, {"text": mark}]})
    fields = {"agentKey": data["part_key"], "raw": raw, "metadata": {"of": mark}, "clientCreatedAt": MOMENT}
    usage = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
    answers = [
        {"role": "ASSISTANT", "usage": usage, "key": key, **fields} for key in (data["message_key"], "r", "d", "l")
    ]
    await _do(user, "appendMessages", sessionId=session, messages=[{"role": "USER", "text": mark}, *answers])
    row = session.removeprefix("ses_")
    data |= {"message": f"msg_{row}_2", "redacted": f"msg_{row}_3", "removed": f"msg_{row}_4", "last": f"msg_{row}_5"}
    data["raw"] = raw


async def _make_stream(user: User, data: SampleData) -> None:
    """A streaming message of text, and one of parts."""
    fields = {"sessionId": data["home"], "key": data["stream_key"], "metadata": {"of": data["mark"]}}
    started = await user.does("startMessage", "message { id } fence", **fields)
    data |= {"streaming": started["message"]["id"], "fence": started["fence"]}
    await _do(user, "extendMessage", id=data["streaming"], fence=data["fence"], offset=0, text=data["mark"])
    in_parts = {**fields, "key": f"{data['stream_key']}-parts", "stream": "PARTS"}
    started = await user.does("startMessage", "message { id } fence", **in_parts)
    data |= {"in_parts": started["message"]["id"], "parts_fence": started["fence"]}
    parts = [{"of": data["mark"]}]
    await _do(user, "extendMessage", id=data["in_parts"], fence=data["parts_fence"], offset=0, parts=parts)


async def _task(user: User, data: SampleData, session: str) -> str:
    mark = data["mark"]
    fields = {"type": mark, "fromRole": mark, "toRole": mark, "payload": {"of": mark}, "traceId": data["trace"]}
    made = await user.does("createTask", "task { id }", sessionId=session, **fields)
    task: str = made["task"]["id"]
    return task


async def _make_work(user: User, data: SampleData) -> None:
    """A task in the session, and approvals of one tool call in three messages: all decided but one more."""
    mark = data["mark"]
    data["own_task"] = await _task(user, data, data["session"])
    approval = {"taskId": data["own_task"], "toolUseId": "c1", "approverRole": mark, "notes": mark}
    for name, message in (("approval", "message"), ("", "redacted"), ("", "last"), ("pending", "message")):
        made = await user.does("requestApproval", "approval { id }", messageId=data[message], **approval)
        if name:
            data[name] = made["approval"]["id"]
        if name != "pending":
            await _do(user, "decideApproval", id=made["approval"]["id"], decision="APPROVE", notes=mark)


async def _make_records(user: User, data: SampleData) -> None:
    """A record of the session with a value, one with bytes, and a live one."""
    mark = data["mark"]
    data["record_key"] = f"{mark}-record"
    value = {"namespace": [mark, "memories"], "key": data["record_key"], "value": {"of": mark}}
    shared_name = {"namespace": ["shared"], "key": "k", "value": mark}
    content = {"namespace": [mark], "key": data["record_key"], "bytes": b64encode(mark.encode()).decode()}
    shared = {"metadata": {"of": mark}, "sessionId": data["session"], "ttlSeconds": 3600}
    live = {"namespace": ["live", mark], "key": data["record_key"], "value": mark}
    made = await user.does("putRecords", "records { id }", records=[value | shared, content, shared_name, live])
    data["record"], data["binary_record"], *_ = (record["id"] for record in made["records"])


async def _change(user: User, data: SampleData) -> None:
    """Events before and after the cursor `seen`, and the audit events of the changes."""
    await _do(user, "redactMessage", id=data["redacted"], raw=data["raw"])
    data["audit"] = await _audit_of(user, data["session"])
    for kind in AUDITED:
        data[f"audit_of_{kind}"] = await _audit_of(user, data[kind])
    data["seen"] = (await user.sees(data["session"], "eventCursor"))["eventCursor"]
    await _do(user, "deleteMessage", id=data["removed"])
    await _do(user, "updateMessage", id=data["message"], metadata={"changed": data["mark"]})
    await _do(user, "updateSession", id=data["session"], metadata={"changed": data["mark"]})
