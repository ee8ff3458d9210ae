"""Operations of sessions."""

from datetime import datetime
from typing import Any, Literal

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
from colloquy.results import CreatedSession, Deletion, Page, Session, SessionStatus


def session(id: str | None = None, *, key: str | None = None) -> Operation[Session | None]:
    """Returns a session by exactly one of its id and its key; None if the token's owner has no such session."""
    return Operation(
        documents.SESSION_BY, {"id": id, "key": key}, lambda data: decode_optional(Session, data["session"])
    )


def session_page(
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    order: Literal["LAST_ACTIVITY", "CREATED_AT"] = "LAST_ACTIVITY",
    direction: Literal["ASC", "DESC"] = "DESC",
    **filter: Any,
) -> Operation[Page[Session]]:
    """Returns one page of the owner's sessions; `filter` is SessionFilter."""
    window = {"first": first, "after": after, "last": last, "before": before}
    variables = {**window, "filter": camel_case_keys(filter), "orderBy": {"field": order, "direction": direction}}
    return Operation(documents.SESSIONS, variables, lambda data: decode_page(Session, data["sessions"]))


def sessions(page_size: int = 50, **filter: Any) -> PagedOperation[Session]:
    """Iterates over the owner's sessions, the most recently active first.

    `filter` is SessionFilter, `order` and `direction` are as for `session_page`.
    """
    return PagedOperation(session_page, {"first": page_size, **filter})


def create_session(
    *,
    key: str | None = None,
    title: str | Unset = UNSET,
    agent_type: str | None = None,
    role: str | None = None,
    task_id: str | Unset = UNSET,
    status: Literal["PENDING", "ACTIVE"] = "PENDING",
    metadata: JSONObject | Unset = UNSET,
    expires_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Operation[CreatedSession]:
    """Creates a session. Returns it with the sessions that the cap on active ones archived.

    Raises Conflict if a session has the key already.
    """
    fields = {"key": key, "title": title, "agentType": agent_type, "role": role, "taskId": task_id, "status": status}
    more = {"metadata": metadata, "expiresAt": expires_at}
    return mutation(
        documents.CREATE_SESSION, {**fields, **more}, lambda payload: decode(CreatedSession, payload), idempotency_key
    )


def update_session(
    id: str,
    *,
    title: str | Unset = UNSET,
    metadata: JSONObject | Unset = UNSET,
    expires_at: datetime | Unset | None = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Operation[Session]:
    """Changes fields of a session and returns it. Raises Conflict if it is not at `expected_revision`."""
    fields = {"id": id, "title": title, "metadata": metadata, "expiresAt": expires_at}
    return mutation(
        documents.UPDATE_SESSION, {**fields, "expectedRevision": expected_revision}, _session, idempotency_key
    )


def set_session_status(
    id: str,
    status: SessionStatus,
    *,
    metadata: JSONObject | Unset = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Operation[Session]:
    """Sets the status of a session and returns it. Raises IllegalTransition, and Conflict as `update_session`."""
    fields = {"id": id, "status": status, "metadata": metadata, "expectedRevision": expected_revision}
    return mutation(documents.SET_SESSION_STATUS, fields, _session, idempotency_key)


def archive_session(id: str, *, idempotency_key: str | None = None) -> Operation[Session]:
    """Archives a session, which removes it from lists without `archived=True`, and returns it."""
    return mutation(documents.ARCHIVE_SESSION, {"id": id}, _session, idempotency_key)


def restore_session(id: str, *, idempotency_key: str | None = None) -> Operation[Session]:
    """Undoes archiving and SOFT deletion of a session and returns it. Raises LimitReached above the cap."""
    return mutation(documents.RESTORE_SESSION, {"id": id}, _session, idempotency_key)


def delete_session(
    id: str, mode: Literal["SOFT", "HARD"] = "SOFT", *, dry_run: bool = False, idempotency_key: str | None = None
) -> Operation[Deletion]:
    """Deletes a session: SOFT hides it, HARD erases it and everything in it permanently; `dry_run` only counts."""
    fields = {"id": id, "mode": mode, "dryRun": dry_run}
    return mutation(
        documents.DELETE_SESSION,
        fields,
        lambda payload: Deletion(payload["deletedId"], payload["deletedMessageCount"]),
        idempotency_key,
    )


def mark_session_read(id: str, up_to_sequence: int, *, idempotency_key: str | None = None) -> Operation[Session]:
    """Marks the messages up to this sequence as read and returns the session."""
    return mutation(documents.MARK_SESSION_READ, {"id": id, "upToSequence": up_to_sequence}, _session, idempotency_key)


def _session(payload: JSONObject) -> Session:
    return decode(Session, payload["session"])
