"""Calls about tasks and the approvals they wait for."""

from collections.abc import Mapping
from typing import Any

from colloquy import documents
from colloquy.call import UNSET, Call, Given, Listing, Unset, camel_keys, found, mutation, page_of
from colloquy.reading import read
from colloquy.results import Approval, Decision, Page, Task, TaskStatus


def task(id: str) -> Call[Task | None]:
    """A task by its id."""
    return Call(documents.TASK_BY, {"id": id}, lambda data: found(Task, data["task"]))


def task_page(
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    **filter: Any,
) -> Call[Page[Task]]:
    """One page of your tasks; `filter` as in TaskFilter, in snake_case."""
    window = {"first": first, "after": after, "last": last, "before": before}
    return Call(documents.TASKS, {**window, "filter": camel_keys(filter)}, lambda data: page_of(Task, data["tasks"]))


def tasks(page_size: int = 50, **filter: Any) -> Listing[Task]:
    """All your tasks; `filter` as in TaskFilter, in snake_case."""
    return Listing(task_page, {"first": page_size, **filter})


def create_task(
    type: str,
    *,
    from_role: str | None = None,
    to_role: str | None = None,
    payload: Given | Unset = UNSET,
    trace_id: str | None = None,
    session_id: str | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Call[Task]:
    """A new task, PENDING."""
    what = {"type": type, "fromRole": from_role, "toRole": to_role, "payload": payload}
    return mutation(
        documents.CREATE_TASK, {**what, "traceId": trace_id, "sessionId": session_id}, _task, idempotency_key
    )


def set_task_status(
    id: str, status: TaskStatus, *, expected_revision: int | None = None, idempotency_key: str | None = None
) -> Call[Task]:
    """The task in this status. Raises IllegalTransition."""
    fields = {"id": id, "status": status, "expectedRevision": expected_revision}
    return mutation(documents.SET_TASK_STATUS, fields, _task, idempotency_key)


def approval_page(
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    **filter: Any,
) -> Call[Page[Approval]]:
    """One page of your approvals; `filter` as in ApprovalFilter, in snake_case."""
    window = {"first": first, "after": after, "last": last, "before": before}
    variables = {**window, "filter": camel_keys(filter)}
    return Call(documents.APPROVALS, variables, lambda data: page_of(Approval, data["approvals"]))


def approvals(page_size: int = 50, **filter: Any) -> Listing[Approval]:
    """All your approvals; `filter` as in ApprovalFilter, in snake_case."""
    return Listing(approval_page, {"first": page_size, **filter})


def request_approval(
    *,
    task_id: str | Unset = UNSET,
    session_id: str | Unset = UNSET,
    message_id: str | Unset = UNSET,
    tool_use_id: str | Unset = UNSET,
    approver_role: str | None = None,
    notes: str | None = None,
    idempotency_key: str | None = None,
) -> Call[Approval]:
    """A decision asked for: on a task, or on a tool call in a message."""
    where = {"taskId": task_id, "sessionId": session_id, "messageId": message_id, "toolUseId": tool_use_id}
    return mutation(
        documents.REQUEST_APPROVAL,
        {**where, "approverRole": approver_role, "notes": notes},
        _approval,
        idempotency_key,
    )


def decide_approval(
    id: str, decision: Decision, *, notes: str | None = None, idempotency_key: str | None = None
) -> Call[Approval]:
    """The decision taken. Raises Conflict when it was before, Forbidden without the approver's role."""
    fields = {"id": id, "decision": decision, "notes": notes}
    return mutation(documents.DECIDE_APPROVAL, fields, _approval, idempotency_key)


def _task(payload: Mapping[str, Any]) -> Task:
    return read(Task, payload["task"])


def _approval(payload: Mapping[str, Any]) -> Approval:
    return read(Approval, payload["approval"])
