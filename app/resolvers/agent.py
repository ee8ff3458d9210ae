"""Use cases of agents in the catalogue."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from uuid_utils.compat import uuid7

from app import db
from app.context import Context
from app.db.access.failures import translated
from app.db.access.transaction import Tx
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AgentRow
from app.errors import Conflict, NotFound
from app.limits import MAX_NOTE_LENGTH, MAX_SKILLS
from app.resolvers import validation
from app.unit_of_work import UnitOfWork

CHECKS: dict[str, validation.Check] = {
    "key": validation.optional_text,
    "name": validation.name,
    "type": validation.name,
    "description": partial(validation.optional_text, max_length=MAX_NOTE_LENGTH),
    "status": validation.not_null,
    "skills": partial(validation.names, maximum=MAX_SKILLS),
    "hourly_rate": validation.not_negative,
    "metadata": validation.not_null,
}
DEFAULTS: dict[str, Any] = {
    "key": None,
    "description": None,
    "status": "AVAILABLE",
    "skills": [],
    "hourly_rate": None,
    "metadata": "{}",
}


async def create(work: UnitOfWork, fields: Mapping[str, Any]) -> AgentRow:
    """Creates an agent. A field that is None gets its default. Raises Invalid, and Conflict for a key in use."""
    provided = {name: value for name, value in fields.items() if value is not None}
    values = DEFAULTS | validation.checked(provided, CHECKS)
    with translated({"agents_key": Conflict("An agent with this key exists already.", field="key")}):
        async with work.begin() as tx:
            row = await db.agent.create(tx, {"id": str(uuid7()), **values})
            await db.audit.record(tx, "agent.created", row)
    return row


async def update(work: UnitOfWork, agent_id: str, fields: Mapping[str, Any], expected_revision: int | None) -> AgentRow:
    """Changes fields of an agent. Raises Invalid, NotFound, and Conflict if its revision is not the expected one."""
    values = validation.checked(fields, CHECKS)
    async with work.begin() as tx:
        row = await db.agent.change(tx, agent_id, values, expected_revision)
        if row is not None:
            await _record_change(tx, row, values)
            return row
        existing = await tx.one(db.agent.BY_IDS, ids=[agent_id])
        if existing is None:
            raise NotFound("There is no such agent.", field="id")
        raise Conflict("The agent has changed since.", field="expectedRevision", current_revision=existing.revision)


async def delete(work: UnitOfWork, agent_id: str) -> AgentRow:
    """Deletes an agent, and returns its emptied row. Raises NotFound."""
    async with work.begin() as tx:
        row = await tx.one(db.agent.DELETE, agent_id=agent_id)
        if row is None:
            raise NotFound("There is no such agent.", field="id")
        await db.audit.record(tx, "agent.deleted", row)
    return row


async def _record_change(tx: Tx, row: AgentRow, values: Mapping[str, Any]) -> None:
    if "status" in values:
        await db.audit.record(tx, "agent.status_changed", row, toStatus=row.status)
    else:
        await db.audit.record(tx, "agent.updated", row, fields=validation.public_names(values))


async def page(ctx: Context, window: Window, order: tuple[str, str], filters: Mapping[str, Any]) -> Slice[AgentRow]:
    """One page of the viewer's catalogue, in an order of (field, direction)."""
    return await db.agent.page(ctx.reads, ctx.viewer, window, db.agent.ORDERS[order], filters)
