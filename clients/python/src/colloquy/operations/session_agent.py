"""Operations of session agents: the state that an agent's framework stores in a session."""

from datetime import datetime
from typing import Literal

from colloquy import graphql_documents as documents
from colloquy.decoding import decode, decode_optional
from colloquy.operation import UNSET, JSONObject, Operation, Unset, mutation
from colloquy.results import SessionAgent, SessionAgentKind

NO_SESSION: JSONObject = {"agent": None}


def session_agent(
    key: str, *, session_id: str | None = None, session_key: str | None = None, kind: SessionAgentKind = "AGENT"
) -> Operation[SessionAgent | None]:
    """Returns an agent of the session with this id or this key; None without the agent or the session."""
    return Operation(
        documents.SESSION_AGENT_BY,
        {"sessionId": session_id, "sessionKey": session_key, "key": key, "kind": kind},
        lambda data: decode_optional(SessionAgent, (data["session"] or NO_SESSION)["agent"]),
    )


def put_session_agent(
    session_id: str,
    key: str,
    *,
    mode: Literal["CREATE", "UPDATE", "UPSERT"] = "UPSERT",
    kind: SessionAgentKind = "AGENT",
    agent_id: str | Unset | None = UNSET,
    state: JSONObject | Unset = UNSET,
    conversation_manager_state: JSONObject | Unset = UNSET,
    internal_state: JSONObject | Unset = UNSET,
    raw: str | Unset = UNSET,
    client_created_at: datetime | Unset = UNSET,
    expected_revision: int | None = None,
    idempotency_key: str | None = None,
) -> Operation[SessionAgent]:
    """Stores an agent's state in a session and returns it.

    Raises NotFound for UPDATE without the agent; Conflict for CREATE with it, or if it is not at `expected_revision`.
    """
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
        lambda payload: decode(SessionAgent, payload["sessionAgent"]),
        idempotency_key,
    )
