"""The mutations that are measured. Each is rolled back."""

from collections.abc import Iterator
from typing import Any

from bench.growth.ids import Ids
from bench.growth.operations import SESSION, Operation

ERRORS = "errors { code message }"
INPUTS = {
    **dict.fromkeys(("archiveSession", "restoreSession"), "SessionIdInput"),
    **dict.fromkeys(("deleteMessage", "cancelMessage"), "MessageIdInput"),
    "deleteAgent": "AgentIdInput",
}


def writes(ids: Ids) -> Iterator[Operation]:
    """All mutations; those that write most come last."""
    for part in (_messages, _streams, _sessions, _agents, _work, _records, _deletions):
        yield from part(ids)


def _mutation(name: str, owner: str, field: str, selection: str, may_grow: str = "", /, **given: Any) -> Operation:
    kind = INPUTS.get(field, f"{field[0].upper()}{field[1:]}Input")
    document = f"mutation ($input: {kind}!) {{ {field}(input: $input) {{ {selection} {ERRORS} }} }}"
    key = given.pop("idempotency_key", None)
    return Operation(f"{field}{name}", owner, document, {"input": given}, may_grow, key)


def _messages(ids: Ids) -> Iterator[Operation]:
    message, long = {"role": "USER", "text": "Hello there, how are you today"}, ids.focus["long"]
    for owner in ("user", "team", "long", "hidden"):
        yield _mutation("", owner, "appendMessage", "message { id }", sessionId=ids.focus[owner], message=message)
    named = {**message, "key": "my-own"}
    yield _mutation(": with key", "long", "appendMessage", "message { id }", sessionId=long, message=named)
    answer = {"role": "ASSISTANT", "text": "Hi", "agentKey": "part-1"}
    yield _mutation(": of an agent", "long", "appendMessage", "message { id }", sessionId=long, message=answer)
    yield _mutation(
        *(": idempotent", "long", "appendMessage", "message { id }"),
        sessionId=long,
        message=message,
        idempotency_key="new",
    )
    ten = [{**message, "key": f"my-{n}"} for n in range(10)]
    yield _mutation(": 10 with keys", "long", "appendMessages", "messages { id }", sessionId=long, messages=ten)
    middle = ids.middle("long")
    yield _mutation("", "long", "updateMessage", "message { id }", id=middle, text="Other words")
    yield _mutation("", "long", "redactMessage", "message { id }", id=middle, text="[redacted]")
    yield _mutation("", "long", "deleteMessage", "deletedId", id=middle)
    for name, up_to in ((": to the middle", ids.messages["long"] // 2), (": to the end", ids.messages["long"])):
        yield _mutation(name, "long", "markSessionRead", "session { unreadCount }", id=long, upToSequence=up_to)


def _streams(ids: Ids) -> Iterator[Operation]:
    streaming, text = ids.message("streams", 2), "more of the text"
    yield _mutation(
        "", "long", "startMessage", "message { id }", sessionId=ids.focus["long"], agentKey="part-1", key="my-own"
    )
    yield _mutation(
        "", "streams", "extendMessage", "message { id }", id=streaming, fence="fence", offset=250, text=text
    )
    again = {"offset": 25, "text": "twenty-five characters on"}
    yield _mutation(": repeated", "streams", "extendMessage", "message { id }", id=streaming, fence="fence", **again)
    yield _mutation("", "streams", "finishMessage", "message { id }", id=streaming, fence="fence")
    yield _mutation("", "streams", "cancelMessage", "message { id }", id=streaming)
    last = ids.message("long", ids.messages["long"])
    yield _mutation("", "long", "extendMessage", "message { id }", id=last, fence="fence", offset=250, text=text)
    yield _mutation("", "long", "finishMessage", "message { id }", id=last, fence="fence")


def _sessions(ids: Ids) -> Iterator[Operation]:
    long = ids.focus["long"]
    for owner in ("user", "team"):
        yield _mutation("", owner, "createSession", "session { id }", title="A new one")
    capped = {"key": "my-own", "agentType": "rare"}
    yield _mutation(": under a cap", "team", "createSession", "session { id } evicted { id }", **capped)
    yield _mutation("", "long", "updateSession", "session { id }", id=long, title="A new title")
    yield _mutation("", "long", "setSessionStatus", "session { id }", id=long, status="COMPLETED")
    yield _mutation("", "long", "archiveSession", "session { id }", id=long)
    yield _mutation("", "team", "restoreSession", "session { id }", id=ids.archived)
    put = {"sessionId": long, "key": "part-1", "state": {"a": 1}}
    yield _mutation("", "long", "putSessionAgent", "sessionAgent { id }", **put)


def _agents(ids: Ids) -> Iterator[Operation]:
    agent = ids.agents["team", 1]
    yield _mutation("", "team", "createAgent", "agent { id }", name="Neo", type="x", key="neo")
    yield _mutation("", "team", "updateAgent", "agent { id }", id=agent, name="Neo")
    yield _mutation("", "team", "setAgentStatus", "agent { id }", id=agent, status="BUSY")
    yield _mutation("", "team", "deleteAgent", "deletedId", id=agent)


def _work(ids: Ids) -> Iterator[Operation]:
    yield _mutation("", "team", "createTask", "task { id }", type="x")
    yield _mutation(": in a session", "team", "createTask", "task { id }", type="x", sessionId=ids.focus["team"])
    yield _mutation(": idempotent", "team", "createTask", "task { id }", type="x", idempotency_key="new")
    yield _mutation("", "team", "setTaskStatus", "task { id }", id=ids.task, status="ACTIVE")
    yield _mutation("", "team", "requestApproval", "approval { id }", taskId=ids.task)
    yield _mutation("", "team", "decideApproval", "approval { id }", id=ids.approval, decision="APPROVE")


def _records(_: Ids) -> Iterator[Operation]:
    note = {"namespace": ["notes"], "value": {"text": "Hello"}}
    for name, key in (("", "my-own"), (": again", "record-8")):
        yield _mutation(name, "team", "putRecords", "records { id }", records=[{**note, "key": key}])
    one = [{"namespace": ["notes"], "key": "record-8"}]
    yield _mutation("", "team", "deleteRecords", "deletedCount", keys=one)
    yield _mutation(": of a namespace", "team", "deleteRecords", "deletedCount", namespacePrefix=["rare"])


def _deletions(ids: Ids) -> Iterator[Operation]:
    long = ids.focus["long"]
    yield _mutation(": dryRun", "long", "deleteSession", "deletedMessageCount", id=long, dryRun=True)
    yield _mutation(": SOFT", "long", "deleteSession", "deletedMessageCount", id=long, mode="SOFT")
    for owner in ("streams", "team", "long"):
        may_grow = SESSION if owner == "long" else ""
        yield _mutation(
            ": HARD", owner, "deleteSession", "deletedMessageCount", may_grow, id=ids.focus[owner], mode="HARD"
        )
