"""Statements on the catalogue's agents."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Integer, Numeric, Text, and_, any_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.access.database import OWNER, Database, Statement, Tx, Viewer, statement
from app.db.reading.page import Count, Order, Slice, Window, amount, identity, read, words
from app.db.reading.partial_rows import AGENT
from app.db.reading.rows import AgentRow
from app.db.tables import agents
from app.db.tables.columns import Uuid

a = agents.c
THIS = and_(a.owner_id == OWNER, a.id == bindparam("agent_id"), a.deleted_at.is_(None))
NEXT = {"revision": a.revision + 1, "updated_at": func.now()}

NAME = (words(a.name), identity(a.id))
CREATED = (identity(a.id),)
# An agent without a rate comes before the cheapest.
RATE = (amount(func.coalesce(a.hourly_rate, -1)), identity(a.id))
ORDERS = {
    (field, direction): Order(tag, keys, descending=direction == "DESC")
    for field, tag, keys in (("NAME", "n", NAME), ("CREATED_AT", "c", CREATED), ("HOURLY_RATE", "r", RATE))
    for direction in ("ASC", "DESC")
}

BY_IDS = statement(
    select(agents).where(
        a.owner_id == OWNER, a.id == any_(bindparam("ids", type_=ARRAY(Uuid))), a.deleted_at.is_(None)
    ),
    AgentRow,
    AGENT,
)
BY_KEYS = statement(
    select(agents).where(a.owner_id == OWNER, a.key == any_(bindparam("keys", type_=ARRAY(Text)))), AgentRow
)
COLUMNS = ("id", "key", "name", "type", "description", "status", "skills", "hourly_rate", "metadata")
CREATE = statement(
    insert(agents)
    .values(owner_id=OWNER, **{name: bindparam(f"new_{name}", type_=a[name].type) for name in COLUMNS})
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
    update(agents).where(THIS).values(deleted_at=func.now(), **NEXT, **EMPTY).returning(agents), AgentRow
)

MATCHING = and_(
    a.owner_id == OWNER,
    a.deleted_at.is_(None),
    or_(
        bindparam("status", type_=ARRAY(Text)).is_(None),
        a.status == any_(bindparam("status", type_=ARRAY(Text))),
    ),
    or_(bindparam("type", type_=Text).is_(None), a.type == bindparam("type", type_=Text)),
    or_(
        bindparam("skills", type_=ARRAY(Text)).is_(None),
        a.skills.contains(bindparam("skills", type_=ARRAY(Text))),
    ),
    or_(
        bindparam("max_hourly_rate", type_=Numeric).is_(None),
        a.hourly_rate <= bindparam("max_hourly_rate", type_=Numeric),
    ),
    or_(
        bindparam("query", type_=Text).is_(None),
        func.strpos(
            func.lower(a.name.concat(" ").concat(func.coalesce(a.description, ""))),
            func.lower(bindparam("query", type_=Text)),
        )
        > 0,
    ),
)
COUNT = statement(select(func.count().label("total")).select_from(agents).where(MATCHING), Count, custom_plan=True)


@cache
def _page(order: Order, backward: bool) -> Statement[AgentRow]:
    return statement(order.page(select(agents).where(MATCHING), backward), AgentRow, custom_plan=True)


async def page(
    db: Database, viewer: Viewer, window: Window, order: Order, filters: Mapping[str, Any]
) -> Slice[AgentRow]:
    """One page of the viewer's catalogue; filters not given are None."""
    return await read(db, viewer, _page(order, window.backward), COUNT, window, order, filters)


async def create(tx: Tx, values: Mapping[str, Any]) -> AgentRow:
    """A new entry of `COLUMNS`."""
    row = await tx.one(CREATE, **{f"new_{name}": values[name] for name in COLUMNS})
    assert row is not None  # an INSERT either returns its row or raises
    return row


@cache
def _update(fields: frozenset[str]) -> Statement[AgentRow]:
    expected = bindparam("expected", type_=Integer)
    return statement(
        update(agents)
        .where(THIS, or_(expected.is_(None), a.revision == expected))
        .values(**NEXT, **{field: bindparam(f"new_{field}", type_=a[field].type) for field in fields})
        .returning(agents),
        AgentRow,
    )


async def change(tx: Tx, agent_id: str, fields: Mapping[str, Any], expected: int | None) -> AgentRow | None:
    """The agent with `fields` set; None if it is gone or not at the expected revision."""
    values = {f"new_{field}": value for field, value in fields.items()}
    return await tx.one(_update(frozenset(fields)), agent_id=agent_id, expected=expected, **values)
