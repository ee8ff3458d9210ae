"""Statements on the agents' parts in sessions."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, and_, bindparam, func, insert, or_, select, update

from app.db.access.database import OWNER, Statement, Tx, statement
from app.db.reading.page import Nested, Order, number, parent_table
from app.db.reading.partial_rows import ADDED, PART
from app.db.reading.rows import ListedAgent, SessionAgentRow
from app.db.tables import agents, session_agents
from app.db.tables.columns import Uuid

g = session_agents.c
EMPTY = {"state": "{}", "conversation_manager_state": "{}", "internal_state": "{}"}
THIS = and_(
    g.owner_id == OWNER,
    g.session_id == bindparam("session_id"),
    g.kind == bindparam("kind"),
    g.key == bindparam("key"),
)
ONE = statement(select(session_agents).where(THIS), SessionAgentRow)

identities = parent_table(session_id=Uuid, kind=Text(), key=Text())
named = identities.join(
    session_agents,
    and_(g.session_id == identities.c.session_id, g.kind == identities.c.kind, g.key == identities.c.key),
)
BY_IDENTITIES = statement(
    select(session_agents, identities.c.place.label("parent")).select_from(named).where(g.owner_id == OWNER),
    SessionAgentRow,
    PART,
)

a = agents.c
BESIDE = tuple(a[name].label(f"agents_{name}") for name in ListedAgent._fields)
WITH_AGENTS = statement(
    select(*(g[name] for name in sorted(PART - ADDED)), *BESIDE, identities.c.place.label("parent"))
    .select_from(named.outerjoin(agents, and_(a.owner_id == OWNER, a.id == g.agent_id, a.deleted_at.is_(None))))
    .where(g.owner_id == OWNER),
    SessionAgentRow,
)


def beside(part: SessionAgentRow) -> Any:
    """The entry of the catalogue that came with a part, in its row's place; None if there is none any more."""
    return ListedAgent(*(part[f"agents_{name}"] for name in ListedAgent._fields)) if part["agents_id"] else None


CREATED = Order("g", (number(g.created_revision),))
session = parent_table(session_id=Uuid)
OF_SESSIONS = Nested(
    select(session_agents).where(g.owner_id == OWNER, g.session_id == session.c.session_id),
    SessionAgentRow,
    CREATED,
    session,
    PART,
)


@cache
def _insert(fields: frozenset[str]) -> Statement[SessionAgentRow]:
    return statement(
        insert(session_agents)
        .values(
            owner_id=OWNER,
            session_id=bindparam("in_session"),
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
        update(session_agents)
        .where(THIS, or_(expected.is_(None), g.revision == expected))
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
    """A new part in the locked session, under its number `revision`."""
    values = {f"new_{field}": value for field, value in {**EMPTY, **fields}.items()}
    row = await tx.one(
        _insert(frozenset({*EMPTY, *fields})),
        in_session=session_id,
        new_kind=kind,
        new_key=key,
        next_revision=revision,
        **values,
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
    """The part with `fields` set and the session's number `revision`; None if absent or not as expected."""
    values = {f"new_{field}": value for field, value in fields.items()}
    return await tx.one(
        _update(frozenset(fields)),
        session_id=session_id,
        kind=kind,
        key=key,
        next_revision=revision,
        expected=expected,
        **values,
    )
