"""Figures that the database computes: of the viewer's sessions, and of the agents of the catalogue."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Select,
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

from app.db.access.statement import OWNER, Row, statement
from app.db.reading.nested import parent_table
from app.db.reading.rows import Entity
from app.db.tables import agents, messages, session_agents, sessions
from app.db.tables.columns import Uuid

s, m, a, g = sessions.c, messages.c, agents.c, session_agents.c
MAX_ANSWERS = 1_000

NOT_DELETED = and_(s.owner_id == OWNER, s.deleted_at.is_(None))
ACTIVE = and_(or_(s.status == "PENDING", s.status == "ACTIVE"), s.archived_at.is_(None))


class OwnerStats(Row):
    """Figures of an owner beside the totals of the sessions."""

    agents: int
    last_activity_at: datetime | None


class AgentMetricsRow(Entity):
    """The metrics of one agent; `parent` is its index among the requested ones."""

    session_count: int
    active_session_count: int
    failed_session_count: int
    message_count: int
    mean_response_seconds: float | None
    last_active_at: datetime | None


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


_agents = select(func.count()).where(a.owner_id == OWNER, a.deleted_at.is_(None)).scalar_subquery()


def _newest_activity(*conditions: ColumnElement[bool]) -> ColumnElement[datetime]:
    """The newest activity in the sessions of one partial index."""
    return select(func.max(s.last_activity_at)).where(NOT_DELETED, *conditions).scalar_subquery()


OF_OWNER = statement(
    "stats.of_owner",
    "The number of the owner's agents, and the newest activity in the sessions.",
    select(
        _agents.label("agents"),
        func.greatest(_newest_activity(s.archived_at.is_(None)), _newest_activity(s.archived_at.is_not(None))).label(
            "last_activity_at"
        ),
    ),
    OwnerStats,
)

_agent = parent_table(agent_id=Uuid)
# All metrics of an agent begin with its session agents, and the messages of each.
_of_agent = and_(g.owner_id == OWNER, g.agent_id == _agent.c.agent_id)
# A deleted message has no agent, so an index with the agent's key is all that a count reads.
_of_session_agent = and_(m.owner_id == OWNER, m.session_id == g.session_id, m.agent_key == g.key)
_sessions = (
    select(s.id, s.status, ACTIVE.label("active"))
    .select_from(session_agents.join(sessions, and_(s.owner_id == g.owner_id, s.id == g.session_id)))
    .where(_of_agent, s.deleted_at.is_(None))
    .distinct()
    .correlate(_agent)
    .lateral("agent_sessions")
)
_session_counts = (
    select(
        func.count().label("session_count"),
        _count_if(_sessions.c.active).label("active_session_count"),
        _count_if(_sessions.c.status == "FAILED").label("failed_session_count"),
    )
    .select_from(_sessions)
    .lateral("session_counts")
)


def _of_each(*columns: ColumnElement[Any]) -> Select[Any]:
    """Of the messages of one session agent."""
    return select(*columns).where(_of_session_agent).correlate(session_agents)


_counted = _of_each(func.count().label("message_count"), func.max(m.sequence).label("newest")).lateral("counted")
_newest = (
    select(m.created_at)
    .where(m.owner_id == OWNER, m.session_id == g.session_id, m.sequence == _counted.c.newest)
    .limit(literal(1, Integer))
    .correlate(session_agents, _counted)
    .lateral("newest")
)
_counts = (
    select(g.session_id, g.key, _counted.c.message_count, _newest.c.created_at)
    .select_from(session_agents.join(_counted, true()).outerjoin(_newest, true()))
    .where(_of_agent, g.kind == "AGENT")
    .correlate(_agent)
    .lateral("counts")
)
# In a CTE, since both the sums and the newest answers begin with them.
_of_agents = select(_agent.c["index"], *_counts.c).select_from(_agent.join(_counts, true())).cte("of_agents")
_o = _of_agents.c
_messages = (
    select(
        cast(func.coalesce(func.sum(_o.message_count), 0), BigInteger).label("message_count"),
        func.max(_o.created_at).label("last_active_at"),
    )
    .where(_o["index"] == _agent.c["index"])
    .correlate(_agent)
    .lateral("agent_messages")
)
# Of so many newest messages none is in any other session.
_latest = (
    select(_o.session_id, _o.key)
    .where(_o["index"] == _agent.c["index"], _o.message_count > literal(0, Integer))
    .order_by(_o.created_at.desc())
    .limit(literal(MAX_ANSWERS, Integer))
    .correlate(_agent)
    .lateral("latest")
)
_newest_answers = (
    select(m.session_id, m.sequence, m.created_at, m.agent_key)
    .where(m.owner_id == OWNER, m.session_id == _latest.c.session_id, m.agent_key == _latest.c.key)
    .order_by(m.sequence.desc())
    .limit(literal(MAX_ANSWERS, Integer))
    .correlate(_latest)
    .lateral("newest_answers")
)
_answers = (
    select(_newest_answers)
    .select_from(_latest.join(_newest_answers, true()))
    .order_by(_newest_answers.c.created_at.desc())
    .limit(literal(MAX_ANSWERS, Integer))
    .lateral("answers")
)
_before = messages.alias("before")
_b, _r = _before.c, _answers.c
# The last message before the answer that is the user's or the agent's own: only the first answer to a question counts.
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
_response_seconds = cast(extract("epoch", _r.created_at - _question.c.created_at), Float)
_mean = (
    select(func.avg(_response_seconds).label("mean_response_seconds"))
    .select_from(_answers.join(_question, true()))
    .where(_question.c.role == "USER")
    .lateral("mean")
)
AGENT_METRICS = statement(
    "stats.agent_metrics",
    "The metrics of agents: sessions, messages, and the mean response time.",
    select(
        _agent.c["index"].label("parent"), *_session_counts.c, *_messages.c, _mean.c.mean_response_seconds
    ).select_from(_agent.join(_session_counts, true()).join(_messages, true()).join(_mean, true())),
    AgentMetricsRow,
)
