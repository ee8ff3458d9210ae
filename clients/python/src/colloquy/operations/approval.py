"""Operations of approvals: decisions on a task, or on a tool call in a message."""

from typing import Any

from colloquy import graphql_documents as documents
from colloquy.decoding import decode
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
from colloquy.results import Approval, Decision, Page


def approval_page(
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    **filter: Any,
) -> Operation[Page[Approval]]:
    """Returns one page of the owner's approvals; `filter` is ApprovalFilter."""
    window = {"first": first, "after": after, "last": last, "before": before}
    variables = {**window, "filter": camel_case_keys(filter)}
    return Operation(documents.APPROVALS, variables, lambda data: decode_page(Approval, data["approvals"]))


def approvals(page_size: int = 50, **filter: Any) -> PagedOperation[Approval]:
    """Iterates over the owner's approvals; `filter` is ApprovalFilter."""
    return PagedOperation(approval_page, {"first": page_size, **filter})


def request_approval(
    *,
    task_id: str | Unset = UNSET,
    session_id: str | Unset = UNSET,
    message_id: str | Unset = UNSET,
    tool_use_id: str | Unset = UNSET,
    approver_role: str | None = None,
    notes: str | None = None,
    idempotency_key: str | None = None,
) -> Operation[Approval]:
    """Requests a decision on a task, or on a tool call in a message, and returns the pending approval."""
    subject = {"taskId": task_id, "sessionId": session_id, "messageId": message_id, "toolUseId": tool_use_id}
    return mutation(
        documents.REQUEST_APPROVAL,
        {**subject, "approverRole": approver_role, "notes": notes},
        _approval,
        idempotency_key,
    )


def decide_approval(
    id: str, decision: Decision, *, notes: str | None = None, idempotency_key: str | None = None
) -> Operation[Approval]:
    """Decides an approval and returns it.

    Raises Conflict if it was decided before, Forbidden without the approver's role.
    """
    fields = {"id": id, "decision": decision, "notes": notes}
    return mutation(documents.DECIDE_APPROVAL, fields, _approval, idempotency_key)


def _approval(payload: JSONObject) -> Approval:
    return decode(Approval, payload["approval"])
