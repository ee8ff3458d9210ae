"""Calls about sessions, and about who asks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from colloquy import documents
from colloquy.call import UNSET, Call, Given, Listing, Unset, camel_keys, found, mutation, page_of
from colloquy.reading import read
from colloquy.results import Created, Deleted, Page, Session, SessionStatus, Viewer


def viewer() -> Call[Viewer]:
    """Who the token says you are."""
    return Call(documents.VIEWER, {}, lambda data: read(Viewer, data["viewer"]))


def session(id: str | None = None, *, key: str | None = None) -> Call[Session | None]:
    """A session by its id or by the client's own key: exactly one of them."""
    return Call(documents.SESSION_BY, {"id": id, "key": key}, lambda data: found(Session, data["session"]))


def session_page(
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    order: Literal["LAST_ACTIVITY", "CREATED_AT"] = "LAST_ACTIVITY",
    direction: Literal["ASC", "DESC"] = "DESC",
    **filter: Any,
) -> Call[Page[Session]]:
    """One page of your sessions; `filter` as in SessionFilter, in snake_case."""
    window = {"first": first, "after": after, "last": last, "before": before}
    variables = {**window, "filter": camel_keys(filter), "orderBy": {"field": order, "direction": direction}}
    return Call(documents.SESSIONS, variables, lambda data: page_of(Session, data["sessions"]))


def sessions(page_size: int = 50, **filter: Any) -> Listing[Session]:
    """All your sessions, the latest active first; `filter`, `order` and `direction` as for `session_page`."""
    return Listing(session_page, {"first": page_size, **filter})


def create_session(
    *,
    key: str | None = None,
    title: str | Unset = UNSET,
    agent_type: str | None = None,
    role: str | None = None,
    task_id: str | Unset = UNSET,
    status: Literal["PENDING", "ACTIVE"] = "PENDING",
    metadata: Given | Unset = UNSET,
    expires_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Call[Created]:
    """A new session. Raises Conflict for a key that is taken."""
    fields = {"key": key, "title": title, "agentType": agent_type, "role": role, "taskId": task_id, "status": status}
    more = {"metadata": metadata, "expiresAt": expires_at}
    return mutation(
        documents.CREATE_SESSION, {**fields, **more}, lambda payload: read(Created, payload), idempotency_key
    )


def update_session(
    id: str,
    *,
    title: str | Unset = UNSET,
    metadata: Given | Unset = UNSET,
    expires_at: datetime | Unset | None = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Call[Session]:
    """The session with these fields. Raises Conflict when it is not at the expected revision."""
    fields = {"id": id, "title": title, "metadata": metadata, "expiresAt": expires_at}
    return mutation(
        documents.UPDATE_SESSION, {**fields, "expectedRevision": expected_revision}, _session, idempotency_key
    )


def set_session_status(
    id: str,
    status: SessionStatus,
    *,
    metadata: Given | Unset = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Call[Session]:
    """The session in this status. Raises IllegalTransition."""
    fields = {"id": id, "status": status, "metadata": metadata, "expectedRevision": expected_revision}
    return mutation(documents.SET_SESSION_STATUS, fields, _session, idempotency_key)


def archive_session(id: str, *, idempotency_key: str | None = None) -> Call[Session]:
    """The session out of the lists."""
    return mutation(documents.ARCHIVE_SESSION, {"id": id}, _session, idempotency_key)


def restore_session(id: str, *, idempotency_key: str | None = None) -> Call[Session]:
    """The session neither archived nor deleted. Raises LimitReached above the cap."""
    return mutation(documents.RESTORE_SESSION, {"id": id}, _session, idempotency_key)


def delete_session(
    id: str, mode: Literal["SOFT", "HARD"] = "SOFT", *, dry_run: bool = False, idempotency_key: str | None = None
) -> Call[Deleted]:
    """SOFT hides it, HARD erases it with all that is in it, for good; a dry run counts only."""
    fields = {"id": id, "mode": mode, "dryRun": dry_run}
    return mutation(
        documents.DELETE_SESSION,
        fields,
        lambda payload: Deleted(payload["deletedId"], payload["deletedMessageCount"]),
        idempotency_key,
    )


def mark_session_read(id: str, up_to_sequence: int, *, idempotency_key: str | None = None) -> Call[Session]:
    """The session read up to this message."""
    return mutation(documents.MARK_SESSION_READ, {"id": id, "upToSequence": up_to_sequence}, _session, idempotency_key)


def _session(payload: Mapping[str, Any]) -> Session:
    return read(Session, payload["session"])
