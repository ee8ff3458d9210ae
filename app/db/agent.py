"""Statements on the agents of the catalogue."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Integer, Numeric, Text, and_, any_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.access.reads import Reads
from app.db.access.statement import OWNER, Statement, statement, variant
from app.db.access.transaction import Tx, Viewer
from app.db.reading.matching import contains
from app.db.reading.nested import one_of_each
from app.db.reading.order import Order, decimal_key, direction, text_key, uuid_key
from app.db.reading.page import Count, Slice, Window
from app.db.reading.partial_rows import AGENT
from app.db.reading.root import read_page
from app.db.reading.rows import AgentRow
from app.db.tables import agents
from app.db.tables.columns import Uuid

a = agents.c
HAS_ID = and_(a.owner_id == OWNER, a.id == bindparam("agent_id"), a.deleted_at.is_(None))
NEXT_REVISION = {"revision": a.revision + 1, "updated_at": func.now()}

NAME = (text_key(a.name), uuid_key(a.id))
CREATED = (uuid_key(a.id),)
# An agent without a rate sorts before the lowest rate.
RATE = (decimal_key(func.coalesce(a.hourly_rate, -1)), uuid_key(a.id))
ORDERS = {
    (field, ending): Order(f"{field}_{ending}".lower(), tag, keys, descending=ending == "DESC")
    for field, tag, keys in (("NAME", "n", NAME), ("CREATED_AT", "c", CREATED), ("HOURLY_RATE", "r", RATE))
    for ending in ("ASC", "DESC")
}

BY_IDS = statement(
    "agent.by_ids",
    "The agents with these ids.",
    one_of_each(agents, a.id, bindparam("ids", type_=ARRAY(Uuid)), a.deleted_at.is_(None)),
    AgentRow,
    AGENT,
)
BY_KEYS = statement(
    "agent.by_keys",
    "The agents with these client keys.",
    one_of_each(agents, a.key, bindparam("keys", type_=ARRAY(Text))),
    AgentRow,
)
INSERT_COLUMNS = ("id", "key", "name", "type", "description", "status", "skills", "hourly_rate", "metadata")
CREATE = statement(
    "agent.create",
    "Inserts an agent.",
    insert(agents)
    .values(owner_id=OWNER, **{name: bindparam(f"new_{name}", type_=a[name].type) for name in INSERT_COLUMNS})
    .returning(agents),
    AgentRow,
)
EMPTY: dict[str, Any] = {
    "key": None,
    "name": "",
    "type": "",
    "description": None,
    "skills": [],
    "hourly_rate": None,
    "metadata": "{}",
}
DELETE = statement(
    "agent.delete",
    "Empties an agent; its tombstone stays.",
    update(agents).where(HAS_ID).values(deleted_at=func.now(), **NEXT_REVISION, **EMPTY).returning(agents),
    AgentRow,
)

STATUS, TYPE = bindparam("status", type_=ARRAY(Text)), bindparam("type", type_=Text)
SKILLS, MAX_RATE = bindparam("skills", type_=ARRAY(Text)), bindparam("max_hourly_rate", type_=Numeric)
QUERY = bindparam("query", type_=Text)
MATCHING = and_(
    a.owner_id == OWNER,
    a.deleted_at.is_(None),
    or_(STATUS.is_(None), a.status == any_(STATUS)),
    or_(TYPE.is_(None), a.type == TYPE),
    or_(SKILLS.is_(None), a.skills.contains(SKILLS)),
    or_(MAX_RATE.is_(None), a.hourly_rate <= MAX_RATE),
    or_(QUERY.is_(None), contains(a.name.concat(" ").concat(func.coalesce(a.description, "")), QUERY)),
)
COUNT = statement(
    "agent.count",
    "The number of agents that match a filter.",
    select(func.count().label("total")).select_from(agents).where(MATCHING),
    Count,
    custom_plan=True,
)


@cache
def _page(order: Order, backward: bool) -> Statement[AgentRow]:
    return statement(
        variant("agent.page", order.name, direction(backward)),
        "A page of the owner's agents that match a filter.",
        order.page(select(agents).where(MATCHING), backward),
        AgentRow,
        custom_plan=True,
    )


async def page(db: Reads, viewer: Viewer, window: Window, order: Order, filters: Mapping[str, Any]) -> Slice[AgentRow]:
    """One page of the viewer's catalogue; a filter that is not set is None."""
    return await read_page(db, viewer, _page(order, window.backward), COUNT, window, order.bounds(window), filters)


async def create(tx: Tx, values: Mapping[str, Any]) -> AgentRow:
    """A new agent of `INSERT_COLUMNS`."""
    row = await tx.one(CREATE, **{f"new_{name}": values[name] for name in INSERT_COLUMNS})
    assert row is not None  # an INSERT either returns its row or raises
    return row


@cache
def _update(fields: frozenset[str]) -> Statement[AgentRow]:
    expected = bindparam("expected", type_=Integer)
    return statement(
        variant("agent.update", *sorted(fields)),
        "Sets these columns of an agent, if it is at the expected revision.",
        update(agents)
        .where(HAS_ID, or_(expected.is_(None), a.revision == expected))
        .values(**NEXT_REVISION, **{field: bindparam(f"new_{field}", type_=a[field].type) for field in fields})
        .returning(agents),
        AgentRow,
    )


async def change(tx: Tx, agent_id: str, fields: Mapping[str, Any], expected: int | None) -> AgentRow | None:
    """The agent with `fields` set; None if it does not exist or is not at the expected revision."""
    values = {f"new_{field}": value for field, value in fields.items()}
    return await tx.one(_update(frozenset(fields)), agent_id=agent_id, expected=expected, **values)
