"""Use cases of SessionAgents: the parts of agents in sessions."""

from collections.abc import Mapping
from typing import Any

from app import db
from app.db.access.failures import translated
from app.db.access.transaction import Tx
from app.db.reading.rows import SessionAgentRow
from app.documents.agent_states import read_states
from app.documents.raw import check_raw
from app.errors import Conflict, NotFound
from app.resolvers import validation
from app.unit_of_work import UnitOfWork

CHECKS: dict[str, validation.Check] = {
    "agent_id": validation.unchecked,
    "state": validation.not_null,
    "conversation_manager_state": validation.not_null,
    "internal_state": validation.not_null,
    "raw": validation.unchecked,
    "client_created_at": validation.unchecked,
}


async def put(
    work: UnitOfWork,
    *,
    session_id: str,
    kind: str,
    key: str,
    mode: str,
    fields: Mapping[str, Any],
    expected_revision: int | None,
) -> SessionAgentRow:
    """Creates or changes a SessionAgent, as `mode` says.

    Raises Invalid, NotFound (session, agent, UPDATE), and Conflict (CREATE, revision).
    """
    key = validation.name(key, "key")
    raw = check_raw(fields.get("raw"), "raw", work.settings.max_raw_bytes)
    values = read_states(raw) | validation.checked(fields, CHECKS)
    with translated({"session_agents_owner_id_agent_id_fkey": NotFound("There is no such agent.", field="agentId")}):
        async with work.begin_in_session(session_id) as tx:
            session = await tx.one(db.session.LOCK, session_id=session_id)
            if session is None:
                raise NotFound("There is no such session.", field="sessionId")
            await _check_agent(tx, values.get("agent_id"))
            row = await _write(tx, session_id, kind, key, mode, values, session.head, expected_revision)
            tx.record_change(session_id, session.head)
    return row


async def _write(
    tx: Tx,
    session_id: str,
    kind: str,
    key: str,
    mode: str,
    values: Mapping[str, Any],
    number: int,
    expected_revision: int | None,
) -> SessionAgentRow:
    existing = await tx.one(db.session_agent.ONE, session_id=session_id, kind=kind, key=key)
    if existing is None:
        if mode == "UPDATE" or expected_revision is not None:
            raise NotFound("There is no such agent in the session.", field="key")
        return await db.session_agent.create(tx, session_id, kind, key, values, number)
    revision = existing.revision
    if mode == "CREATE":
        raise Conflict("The session has an agent with this key already.", field="key", current_revision=revision)
    row = await db.session_agent.change(tx, session_id, kind, key, values, number, expected_revision)
    if row is None:
        raise Conflict("The agent has changed since.", field="expectedRevision", current_revision=revision)
    return row


async def _check_agent(tx: Tx, agent_id: str | None) -> None:
    """The foreign key accepts deleted agents, because their emptied rows remain."""
    if agent_id is not None and await tx.one(db.agent.BY_IDS, ids=[agent_id]) is None:
        raise NotFound("There is no such agent.", field="agentId")
