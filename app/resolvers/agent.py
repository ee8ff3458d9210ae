"""Decisions on the catalogue's agents."""

from collections.abc import Mapping
from typing import Any

from uuid_utils.compat import uuid7

from app import db
from app.context import Context
from app.db.access.failures import translated
from app.db.access.transaction import Tx
from app.db.reading.page import Slice, Window
from app.db.reading.rows import AgentRow
from app.errors import Conflict, NotFound
from app.resolvers import validation

CHECKS = {
    "key": lambda value, field: validation.optional(value, field),
    "name": lambda value, field: validation.text(value, field, shortest=1),
    "type": lambda value, field: validation.text(value, field, shortest=1),
    "description": lambda value, field: validation.optional(value, field, longest=10_000),
    "status": validation.present,
    "skills": lambda value, field: validation.texts(value, field),
    "hourly_rate": validation.not_negative,
    "metadata": validation.present,
}
NEW: dict[str, Any] = {
    "key": None,
    "description": None,
    "status": "AVAILABLE",
    "skills": [],
    "hourly_rate": None,
    "metadata": "{}",
}


async def create(ctx: Context, fields: Mapping[str, Any]) -> AgentRow:
    """A new entry. Raises Conflict when the key is taken."""
    values = NEW | validation.only({name: value for name, value in fields.items() if value is not None}, CHECKS)
    with translated({"agents_key": Conflict("An agent with this key exists already.", field="key")}):
        async with ctx.begin() as tx:
            row = await db.agent.create(tx, {"id": str(uuid7()), **values})
            await db.audit.record(tx, "agent.created", row)
    return row


async def update(ctx: Context, agent_id: str, fields: Mapping[str, Any], expected: int | None) -> AgentRow:
    """The agent with these fields. Raises NotFound, and Conflict when it is not at the expected revision."""
    checked = validation.only(fields, CHECKS)
    async with ctx.begin() as tx:
        row = await db.agent.change(tx, agent_id, checked, expected)
        if row is not None:
            await _record_change(tx, row, checked)
            return row
        found = await tx.one(db.agent.BY_IDS, ids=[agent_id])
        if found is None:
            raise NotFound("There is no such agent.", field="id")
        raise Conflict("The agent has changed since.", field="expectedRevision", current_revision=found.revision)


async def delete(ctx: Context, agent_id: str) -> AgentRow:
    """The emptied entry. Raises NotFound."""
    async with ctx.begin() as tx:
        row = await tx.one(db.agent.DELETE, agent_id=agent_id)
        if row is None:
            raise NotFound("There is no such agent.", field="id")
        await db.audit.record(tx, "agent.deleted", row)
    return row


async def _record_change(tx: Tx, row: AgentRow, fields: Mapping[str, Any]) -> None:
    if "status" in fields:
        await db.audit.record(tx, "agent.status_changed", row, toStatus=row.status)
    else:
        await db.audit.record(tx, "agent.updated", row, fields=validation.publics(fields))


async def page(ctx: Context, window: Window, field: str, direction: str, filters: Mapping[str, Any]) -> Slice[AgentRow]:
    """One page of the viewer's catalogue."""
    order = db.agent.ORDERS[field, direction]
    return await db.agent.page(ctx.db, ctx.viewer, window, order, filters)
