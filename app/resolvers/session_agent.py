"""Decisions on the agents' parts in sessions."""

from collections.abc import Mapping
from typing import Any, NoReturn

from app import db
from app.context import Context
from app.db.access.failures import translated
from app.db.access.transaction import Tx
from app.db.reading.rows import SessionAgentRow
from app.documents import parsing
from app.errors import Conflict, NotFound
from app.resolvers import validation

CHECKS = {
    "agent_id": lambda value, _field: value,
    "state": validation.present,
    "conversation_manager_state": validation.present,
    "internal_state": validation.present,
    "raw": lambda value, _field: value,
    "client_created_at": lambda value, _field: value,
}


async def put(
    ctx: Context,
    *,
    session_id: str,
    kind: str,
    key: str,
    mode: str,
    fields: Mapping[str, Any],
    expected: int | None,
) -> SessionAgentRow:
    """The part as it is now. Raises NotFound (session, or UPDATE of none) and Conflict (CREATE, or revision)."""
    key = validation.text(key, "key", shortest=1)
    document = parsing.document(fields.get("raw"), "raw", ctx.settings.max_raw_bytes)
    values = parsing.states(document) | validation.only(fields, CHECKS)
    with translated({"session_agents_owner_id_agent_id_fkey": NotFound("There is no such agent.", field="agentId")}):
        async with ctx.writing(session_id) as tx:
            session = await tx.one(db.session.LOCK, session_id=session_id)
            if session is None:
                raise NotFound("There is no such session.", field="sessionId")
            await _refuse_deleted_agent(tx, values.get("agent_id"))
            row = await _write(tx, session_id, kind, key, mode, values, session.head, expected)
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
    expected: int | None,
) -> SessionAgentRow:
    there = await tx.one(db.session_agent.ONE, session_id=session_id, kind=kind, key=key)
    if there is None:
        if mode == "UPDATE" or expected is not None:
            raise NotFound("There is no such agent in the session.", field="key")
        return await db.session_agent.create(tx, session_id, kind, key, values, number)
    if mode == "CREATE":
        raise Conflict("The session has an agent with this key already.", field="key", current_revision=there.revision)
    row = await db.session_agent.change(tx, session_id, kind, key, values, number, expected)
    return row or _refuse(there)


def _refuse(there: SessionAgentRow) -> NoReturn:
    raise Conflict("The agent has changed since.", field="expectedRevision", current_revision=there.revision)


async def _refuse_deleted_agent(tx: Tx, agent_id: str | None) -> None:
    if agent_id is not None and await tx.one(db.agent.BY_IDS, ids=[agent_id]) is None:
        raise NotFound("There is no such agent.", field="agentId")
