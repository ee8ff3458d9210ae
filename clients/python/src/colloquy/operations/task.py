"""Operations of tasks."""

from typing import Any

from colloquy import graphql_documents as documents
from colloquy.decoding import decode, decode_optional
from colloquy.operation import (
    UNSET,
    JSONObject,
    Operation,
    PagedOperation,
    Unset,
    camel_case_keys,
    decode_page,
    mutation,
)
from colloquy.results import Page, Task, TaskStatus


def task(id: str) -> Operation[Task | None]:
    """Returns a task by its id; None without it."""
    return Operation(documents.TASK_BY, {"id": id}, lambda data: decode_optional(Task, data["task"]))


def task_page(
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    **filter: Any,
) -> Operation[Page[Task]]:
    """Returns one page of the owner's tasks; `filter` is TaskFilter."""
    window = {"first": first, "after": after, "last": last, "before": before}
    variables = {**window, "filter": camel_case_keys(filter)}
    return Operation(documents.TASKS, variables, lambda data: decode_page(Task, data["tasks"]))


def tasks(page_size: int = 50, **filter: Any) -> PagedOperation[Task]:
    """Iterates over the owner's tasks; `filter` is TaskFilter."""
    return PagedOperation(task_page, {"first": page_size, **filter})


def create_task(
    type: str,
    *,
    from_role: str | None = None,
    to_role: str | None = None,
    payload: JSONObject | Unset = UNSET,
    trace_id: str | None = None,
    session_id: str | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Operation[Task]:
    """Creates a task with the status PENDING and returns it."""
    fields = {"type": type, "fromRole": from_role, "toRole": to_role, "payload": payload}
    return mutation(
        documents.CREATE_TASK, {**fields, "traceId": trace_id, "sessionId": session_id}, _task, idempotency_key
    )


def set_task_status(
    id: str, status: TaskStatus, *, expected_revision: int | None = None, idempotency_key: str | None = None
) -> Operation[Task]:
    """Sets the status of a task and returns it.

    Raises IllegalTransition, and Conflict if the task is not at `expected_revision`.
    """
    fields = {"id": id, "status": status, "expectedRevision": expected_revision}
    return mutation(documents.SET_TASK_STATUS, fields, _task, idempotency_key)


def _task(payload: JSONObject) -> Task:
    return decode(Task, payload["task"])
