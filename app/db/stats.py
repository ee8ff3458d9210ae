"""Figures, counted where the rows are: of the viewer's sessions, and of agents at work."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    and_,
    case,
    cast,
    extract,
    func,
    literal,
    or_,
    select,
    true,
)

from app.db.access.database import OWNER, Row, statement
from app.db.reading.page import parent_table
from app.db.reading.rows import Entity
from app.db.tables import agents, messages, session_agents, sessions
from app.db.tables.columns import Uuid

s, m, a, g = sessions.c, messages.c, agents.c, session_agents.c
ANSWERS = 1_000

THERE = and_(s.owner_id == OWNER, s.deleted_at.is_(None))
ACTIVE = and_(or_(s.status == "PENDING", s.status == "ACTIVE"), s.archived_at.is_(None))


class TypeStats(Row):
    """The figures of the sessions of one agent type; all of them NULL for an owner without sessions."""

    agent_type: str | None
    sessions: int | None
    active: int
    archived: int
    messages: int
    last_activity_at: datetime | None
    agents: int


class Unread(Row):
    """How many sessions hold something unread."""

    total: int


class AgentMetricsRow(Entity):
    """What one agent has done; `parent` is its place among those asked for."""

    session_count: int
    active_session_count: int
    failed_session_count: int
    message_count: int
    mean_response_seconds: float | None
    last_active_at: datetime | None


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


_types = (
    select(
        s.agent_type,
        func.count().label("sessions"),
        _how_many(ACTIVE).label("active"),
        _how_many(s.archived_at.is_not(None)).label("archived"),
        func.sum(s.message_count).label("messages"),
        func.max(s.last_activity_at).label("last_activity_at"),
    )
    .where(THERE)
    .group_by(s.agent_type)
    .subquery("types")
)
_catalogue = (
    select(func.count().label("agents")).where(a.owner_id == OWNER, a.deleted_at.is_(None)).subquery("catalogue")
)
STATS = statement(select(_catalogue.c.agents, *_types.c).select_from(_catalogue.outerjoin(_types, true())), TypeStats)
UNREAD = statement(
    select(func.count().label("total")).select_from(sessions).where(THERE, s.archived_at.is_(None), s.unread_count > 0),
    Unread,
)

_asked = parent_table(agent_id=Uuid)
# Its parts in sessions, each with its messages: what all figures of an agent begin with.
_part = and_(g.owner_id == OWNER, g.agent_id == _asked.c.agent_id)
_of_part = and_(m.owner_id == g.owner_id, m.session_id == g.session_id, m.agent_key == g.key, g.kind == "AGENT")
_taken = (
    select(s.id, s.status, ACTIVE.label("active"))
    .select_from(session_agents.join(sessions, and_(s.owner_id == g.owner_id, s.id == g.session_id)))
    .where(_part, s.deleted_at.is_(None))
    .distinct()
    .correlate(_asked)
    .lateral("taken")
)
_counted = (
    select(
        func.count().label("session_count"),
        _how_many(_taken.c.active).label("active_session_count"),
        _how_many(_taken.c.status == "FAILED").label("failed_session_count"),
    )
    .select_from(_taken)
    .lateral("counted")
)
_messages = (
    select(func.count().label("message_count"), func.max(m.created_at).label("last_active_at"))
    .select_from(session_agents.join(messages, _of_part))
    .where(_part, m.deleted_at.is_(None))
    .correlate(_asked)
    .lateral("said")
)
_answers = (
    select(m.session_id, m.sequence, m.created_at, m.agent_key)
    .select_from(session_agents.join(messages, _of_part))
    .where(_part, m.deleted_at.is_(None))
    .order_by(m.created_at.desc())
    .limit(literal(ANSWERS, Integer))
    .correlate(_asked)
    .lateral("answers")
)
_before = messages.alias("before")
_b, _r = _before.c, _answers.c
# The nearest message before the answer that is the user's or the agent's own: only the first answer counts.
_question = (
    select(_b.role, _b.created_at)
    .where(
        _b.owner_id == OWNER,
        _b.session_id == _r.session_id,
        _b.sequence < _r.sequence,
        _b.deleted_at.is_(None),
        or_(_b.role == "USER", _b.agent_key == _r.agent_key),
    )
    .order_by(_b.sequence.desc())
    .limit(1)
    .correlate(_answers)
    .lateral("question")
)
_pause = cast(extract("epoch", _r.created_at - _question.c.created_at), Float)
_mean = (
    select(
        func.avg(cast(extract("epoch", _r.created_at - _question.c.created_at), Float)).label("mean_response_seconds")
    )
    .select_from(_answers.join(_question, true()))
    .where(_question.c.role == "USER")
    .lateral("pace")
)
METRICS = statement(
    select(_asked.c.place.label("parent"), *_counted.c, *_messages.c, _mean.c.mean_response_seconds).select_from(
        _asked.join(_counted, true()).join(_messages, true()).join(_mean, true())
    ),
    AgentMetricsRow,
)
