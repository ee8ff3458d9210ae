"""Statements on the agents of sessions."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, and_, bindparam, func, insert, or_, select, update

from app.db.access.statement import OWNER, Statement, statement, variant
from app.db.access.transaction import Tx
from app.db.reading.joined import IS_LINKED, JOINED_COLUMNS
from app.db.reading.nested import Nested, parent_table
from app.db.reading.order import Order, integer_key
from app.db.reading.partial_rows import SESSION_AGENT
from app.db.reading.rows import PartialSessionAgent, SessionAgentRow
from app.db.tables import agents, session_agents
from app.db.tables.columns import Uuid

g = session_agents.c
EMPTY = {"state": "{}", "conversation_manager_state": "{}", "internal_state": "{}"}
HAS_KEY = and_(
    g.owner_id == OWNER,
    g.session_id == bindparam("session_id"),
    g.kind == bindparam("kind"),
    g.key == bindparam("key"),
)
ONE = statement("session_agent.one", "One agent of a session.", select(session_agents).where(HAS_KEY), SessionAgentRow)

keys = parent_table(session_id=Uuid, kind=Text(), key=Text())
keyed = keys.join(
    session_agents,
    and_(g.session_id == keys.c.session_id, g.kind == keys.c.kind, g.key == keys.c.key),
)
BY_KEYS = statement(
    "session_agent.by_keys",
    "The agents of sessions with these keys.",
    select(session_agents, keys.c["index"].label("parent")).select_from(keyed).where(g.owner_id == OWNER),
    SessionAgentRow,
    SESSION_AGENT,
)
WITH_AGENTS = statement(
    "session_agent.with_agents",
    "The agents of sessions with these keys, each with its agent in the catalogue.",
    select(*JOINED_COLUMNS, *(g[name] for name in PartialSessionAgent._fields), keys.c["index"].label("parent"))
    .select_from(keyed.outerjoin(agents, IS_LINKED))
    .where(g.owner_id == OWNER),
    SessionAgentRow,
)


CREATED = Order("created", "g", (integer_key(g.created_revision),))
session = parent_table(session_id=Uuid)
OF_SESSIONS = Nested(
    "session_agent.of_sessions",
    "The agents of sessions, in the order of their creation.",
    select(session_agents).where(g.owner_id == OWNER, g.session_id == session.c.session_id),
    SessionAgentRow,
    CREATED,
    session,
    SESSION_AGENT,
)


@cache
def _insert(fields: frozenset[str]) -> Statement[SessionAgentRow]:
    return statement(
        variant("session_agent.create", *sorted(fields)),
        "Inserts an agent of a session, with these columns.",
        insert(session_agents)
        .values(
            owner_id=OWNER,
            session_id=bindparam("new_session_id"),
            kind=bindparam("new_kind"),
            key=bindparam("new_key"),
            created_revision=bindparam("next_revision"),
            revision=bindparam("next_revision"),
            **{field: bindparam(f"new_{field}", type_=g[field].type) for field in fields},
        )
        .returning(session_agents),
        SessionAgentRow,
    )


@cache
def _update(fields: frozenset[str]) -> Statement[SessionAgentRow]:
    expected = bindparam("expected", type_=Integer)
    return statement(
        variant("session_agent.update", *sorted(fields)),
        "Sets these columns of an agent of a session, if it is at the expected revision.",
        update(session_agents)
        .where(HAS_KEY, or_(expected.is_(None), g.revision == expected))
        .values(
            revision=bindparam("next_revision", type_=BigInteger),
            updated_at=func.now(),
            **{field: bindparam(f"new_{field}", type_=g[field].type) for field in fields},
        )
        .returning(session_agents),
        SessionAgentRow,
    )


async def create(
    tx: Tx, session_id: str, kind: str, key: str, fields: Mapping[str, Any], revision: int
) -> SessionAgentRow:
    """A new agent in the locked session, with the session's change number `revision`."""
    columns = {**EMPTY, **fields}
    row = await tx.one(
        _insert(frozenset(columns)),
        new_session_id=session_id,
        new_kind=kind,
        new_key=key,
        next_revision=revision,
        **{f"new_{field}": value for field, value in columns.items()},
    )
    assert row is not None  # an INSERT either returns its row or raises
    return row


async def change(
    tx: Tx,
    session_id: str,
    kind: str,
    key: str,
    fields: Mapping[str, Any],
    revision: int,
    expected: int | None,
) -> SessionAgentRow | None:
    """The agent of the locked session with `fields` set, and the session's change number `revision`.

    None if it does not exist or is not at the expected revision.
    """
    return await tx.one(
        _update(frozenset(fields)),
        session_id=session_id,
        kind=kind,
        key=key,
        next_revision=revision,
        expected=expected,
        **{f"new_{field}": value for field, value in fields.items()},
    )
