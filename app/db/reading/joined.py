"""Agents and messages in rows of other nouns, in statements that join them."""

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import ColumnElement, FromClause, Integer, Text, and_, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlalchemy.sql.selectable import LateralFromClause

from app.db.access.statement import OWNER, Row
from app.db.reading.nested import one_of_each
from app.db.reading.rows import PartialAgent, PartialMessage, PartialSessionAgent, SessionRow
from app.db.tables import agents, session_agents
from app.db.tables.columns import Uuid

IS_LINKED = and_(agents.c.owner_id == OWNER, agents.c.id == session_agents.c.agent_id, agents.c.deleted_at.is_(None))
"""The catalogue's agent of a session agent: the condition of an outer join."""
JOINED_COLUMNS = tuple(agents.c[name].label(f"agents_{name}") for name in PartialAgent._fields)
"""The first columns of such a statement: `joined_agent` finds them by position."""
JOINED = slice(len(JOINED_COLUMNS))
_IDS = bindparam("agent_ids", type_=ARRAY(Uuid))
_named = one_of_each(agents, agents.c.id, _IDS, agents.c.deleted_at.is_(None)).subquery("named")
_columns = func.json_build_array(*(_named.c[name] for name in PartialAgent._fields), type_=JSON)
AGENTS_BY_IDS = select(func.json_agg(_columns, type_=JSON)).scalar_subquery()
"""The catalogue's agents with the ids `agent_ids`, as JSON: `named_agents` reads them."""


def writer_of(session_id: ColumnElement[Any], agent_key: ColumnElement[str], *around: FromClause) -> LateralFromClause:
    """The session agent with this key, its catalogue's agent first; the two columns belong to statements `around`."""
    g = session_agents.c
    return (
        select(*JOINED_COLUMNS, g.agent_id)
        .select_from(session_agents.outerjoin(agents, IS_LINKED))
        .where(
            g.owner_id == OWNER,
            g.session_id == session_id,
            g.kind == literal("AGENT", Text),
            g.key == agent_key,
        )
        .limit(literal(1, Integer))
        .correlate(*around)
        .lateral("writer")
    )


def joined_agent(row: Row) -> PartialAgent | None:
    """The agent in a row that begins with `JOINED_COLUMNS`, as a stand-in for its own row; None if it was deleted."""
    return PartialAgent._make(row[JOINED]) if row[0] is not None else None


def named_agents(first: SessionRow) -> Iterator[PartialAgent]:
    """The catalogue's agents in the column `agents` of the first session of a list."""
    return map(PartialAgent._make, orjson.loads(first.agents or "[]"))


def agents_of(session: SessionRow) -> Iterator[tuple[PartialSessionAgent, PartialAgent | None]]:
    """The agents in a session's column `agents`, each with its agent in the catalogue; None as above."""
    for key, agent_id, *joined in orjson.loads(session.agents or "[]"):
        agent = PartialAgent._make(joined) if joined[0] is not None else None
        yield PartialSessionAgent(session.id, "AGENT", key, agent_id), agent


def last_message_of(session: SessionRow) -> tuple[PartialMessage | None, PartialAgent | None]:
    """The message in a session's column `last`, with the catalogue's agent that wrote it."""
    if session.last is None:
        return None, None
    values = orjson.loads(session.last)
    agent = PartialAgent._make(values[JOINED]) if values[0] is not None else None
    return PartialMessage._make(values[JOINED.stop :]), agent
