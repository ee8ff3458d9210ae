"""Calls about agents: their parts in sessions, and the catalogue."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from colloquy import documents
from colloquy.call import UNSET, Call, Given, Listing, Unset, camel_keys, found, mutation, page_of
from colloquy.reading import read
from colloquy.results import Agent, AgentStatus, Deleted, Kind, Page, SessionAgent

NOWHERE: Mapping[str, Any] = {"agent": None}


def session_agent(
    key: str, *, session_id: str | None = None, session_key: str | None = None, kind: Kind = "AGENT"
) -> Call[SessionAgent | None]:
    """An agent's part in a session; None without the part, or the session."""
    return Call(
        documents.SESSION_AGENT_BY,
        {"sessionId": session_id, "sessionKey": session_key, "key": key, "kind": kind},
        lambda data: found(SessionAgent, (data["session"] or NOWHERE)["agent"]),
    )


def put_session_agent(
    session_id: str,
    key: str,
    *,
    mode: Literal["CREATE", "UPDATE", "UPSERT"] = "UPSERT",
    kind: Kind = "AGENT",
    agent_id: str | Unset | None = UNSET,
    state: Given | Unset = UNSET,
    conversation_manager_state: Given | Unset = UNSET,
    internal_state: Given | Unset = UNSET,
    raw: str | Unset = UNSET,
    client_created_at: datetime | Unset = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Call[SessionAgent]:
    """The part, kept. Raises NotFound (UPDATE of none) and Conflict (CREATE of one, or another revision)."""
    fields = {
        "sessionId": session_id,
        "key": key,
        "mode": mode,
        "kind": kind,
        "agentId": agent_id,
        "state": state,
        "conversationManagerState": conversation_manager_state,
        "internalState": internal_state,
        "raw": raw,
        "clientCreatedAt": client_created_at,
        "expectedRevision": expected_revision,
    }
    return mutation(
        documents.PUT_SESSION_AGENT,
        fields,
        lambda payload: read(SessionAgent, payload["sessionAgent"]),
        idempotency_key,
    )


def agent(id: str | None = None, *, key: str | None = None) -> Call[Agent | None]:
    """An entry of the catalogue by its id or by the client's own key: exactly one of them."""
    return Call(documents.AGENT_BY, {"id": id, "key": key}, lambda data: found(Agent, data["agent"]))


def agent_page(
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    **filter: Any,
) -> Call[Page[Agent]]:
    """One page of your catalogue by name; `filter` as in AgentFilter, in snake_case."""
    window = {"first": first, "after": after, "last": last, "before": before}
    variables = {**window, "filter": camel_keys(filter)}
    return Call(documents.AGENTS, variables, lambda data: page_of(Agent, data["agents"]))


def agents(page_size: int = 50, **filter: Any) -> Listing[Agent]:
    """All your catalogue by name; `filter` as in AgentFilter, in snake_case."""
    return Listing(agent_page, {"first": page_size, **filter})


def create_agent(
    name: str,
    type: str,
    *,
    key: str | None = None,
    description: str | None = None,
    status: AgentStatus = "AVAILABLE",
    skills: Sequence[str] = (),
    hourly_rate: Decimal | None = None,
    metadata: Given | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Call[Agent]:
    """A new entry of the catalogue. Raises Conflict for a key that is taken, Invalid with the field's name."""
    what = {"key": key, "name": name, "type": type, "description": description, "status": status}
    more = {"skills": list(skills), "hourlyRate": _decimal(hourly_rate), "metadata": metadata}
    return mutation(documents.CREATE_AGENT, {**what, **more}, _agent, idempotency_key)


def update_agent(
    id: str,
    *,
    name: str | Unset = UNSET,
    description: str | Unset | None = UNSET,
    skills: Sequence[str] | Unset = UNSET,
    hourly_rate: Decimal | Unset | None = UNSET,
    metadata: Given | Unset = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Call[Agent]:
    """The entry with these fields."""
    what = {"id": id, "expectedRevision": expected_revision, "name": name, "description": description}
    more = {"skills": skills, "hourlyRate": _decimal(hourly_rate), "metadata": metadata}
    return mutation(documents.UPDATE_AGENT, {**what, **more}, _agent, idempotency_key)


def set_agent_status(id: str, status: AgentStatus, *, idempotency_key: str | None = None) -> Call[Agent]:
    """The entry in this status; any may follow any other."""
    return mutation(documents.SET_AGENT_STATUS, {"id": id, "status": status}, _agent, idempotency_key)


def delete_agent(id: str, *, idempotency_key: str | None = None) -> Call[Deleted]:
    """The entry is gone from the catalogue."""
    return mutation(documents.DELETE_AGENT, {"id": id}, lambda payload: Deleted(payload["deletedId"]), idempotency_key)


def _agent(payload: Mapping[str, Any]) -> Agent:
    return read(Agent, payload["agent"])


def _decimal(value: Decimal | Unset | None) -> str | Unset | None:
    return str(value) if isinstance(value, Decimal) else value
