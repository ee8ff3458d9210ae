"""Operations of the agent catalogue."""

from collections.abc import Sequence
from decimal import Decimal
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
from colloquy.results import Agent, AgentStatus, Deletion, Page


def agent(id: str | None = None, *, key: str | None = None) -> Operation[Agent | None]:
    """Returns an agent of the catalogue by exactly one of its id and its key; None without it."""
    return Operation(documents.AGENT_BY, {"id": id, "key": key}, lambda data: decode_optional(Agent, data["agent"]))


def agent_page(
    *,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    **filter: Any,
) -> Operation[Page[Agent]]:
    """Returns one page of the owner's catalogue in order of name; `filter` is AgentFilter."""
    window = {"first": first, "after": after, "last": last, "before": before}
    variables = {**window, "filter": camel_case_keys(filter)}
    return Operation(documents.AGENTS, variables, lambda data: decode_page(Agent, data["agents"]))


def agents(page_size: int = 50, **filter: Any) -> PagedOperation[Agent]:
    """Iterates over the owner's catalogue in order of name; `filter` is AgentFilter."""
    return PagedOperation(agent_page, {"first": page_size, **filter})


def create_agent(
    name: str,
    type: str,
    *,
    key: str | None = None,
    description: str | None = None,
    status: AgentStatus = "AVAILABLE",
    skills: Sequence[str] = (),
    hourly_rate: Decimal | None = None,
    metadata: JSONObject | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Operation[Agent]:
    """Adds an agent to the catalogue and returns it. Raises Conflict if an agent has the key already."""
    fields = {"key": key, "name": name, "type": type, "description": description, "status": status}
    more = {"skills": list(skills), "hourlyRate": _decimal_text(hourly_rate), "metadata": metadata}
    return mutation(documents.CREATE_AGENT, {**fields, **more}, _agent, idempotency_key)


def update_agent(
    id: str,
    *,
    name: str | Unset = UNSET,
    description: str | Unset | None = UNSET,
    skills: Sequence[str] | Unset = UNSET,
    hourly_rate: Decimal | Unset | None = UNSET,
    metadata: JSONObject | Unset = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Operation[Agent]:
    """Changes fields of an agent and returns it. Raises Conflict if it is not at `expected_revision`."""
    fields = {"id": id, "expectedRevision": expected_revision, "name": name, "description": description}
    more = {"skills": skills, "hourlyRate": _decimal_text(hourly_rate), "metadata": metadata}
    return mutation(documents.UPDATE_AGENT, {**fields, **more}, _agent, idempotency_key)


def set_agent_status(id: str, status: AgentStatus, *, idempotency_key: str | None = None) -> Operation[Agent]:
    """Sets the status of an agent, from any status to any other, and returns it."""
    return mutation(documents.SET_AGENT_STATUS, {"id": id, "status": status}, _agent, idempotency_key)


def delete_agent(id: str, *, idempotency_key: str | None = None) -> Operation[Deletion]:
    """Deletes an agent from the catalogue."""
    return mutation(documents.DELETE_AGENT, {"id": id}, lambda payload: Deletion(payload["deletedId"]), idempotency_key)


def _agent(payload: JSONObject) -> Agent:
    return decode(Agent, payload["agent"])


def _decimal_text(value: Decimal | Unset | None) -> str | Unset | None:
    return str(value) if isinstance(value, Decimal) else value
