"""What has changed in a session after a number: one range read, in the order of the numbers (invariant 3)."""

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, Text, bindparam, cast, literal, select, union_all

from app.db.database import OWNER, statement
from app.db.metadata import Uuid
from app.db.rows import ChangeRow
from app.db.tables import approvals, messages, session_agents, sessions, tasks

s, m, g, t, p = sessions.c, messages.c, session_agents.c, tasks.c, approvals.c
SESSION, AFTER = bindparam("session_id", type_=Uuid), bindparam("after", type_=BigInteger)
LIMIT = bindparam("limit", type_=Integer)


def _changes(
    kind: str,
    revision: ColumnElement[int],
    sequence: ColumnElement[int] | None = None,
    part_kind: ColumnElement[str] | None = None,
    part_key: ColumnElement[str] | None = None,
) -> Select[int, str, int, str, str]:
    """The columns that every kind fills in: its number, and its key in the session."""
    return select(
        revision.label("revision"),
        literal(kind, Text).label("kind"),
        (literal(0, Integer) if sequence is None else sequence).label("sequence"),
        (literal("", Text) if part_kind is None else part_kind).label("part_kind"),
        (literal("", Text) if part_key is None else part_key).label("part_key"),
    )


_session = _changes("session", s.revision).where(s.owner_id == OWNER, s.id == SESSION, s.revision > AFTER)
_messages = (
    _changes("message", m.revision, m.sequence)
    .where(m.owner_id == OWNER, m.session_id == SESSION, m.revision > AFTER)
    .order_by(m.revision)
    .limit(LIMIT)
)
_parts = (
    _changes("part", g.revision, part_kind=g.kind, part_key=g.key)
    .where(g.owner_id == OWNER, g.session_id == SESSION, g.revision > AFTER)
    .order_by(g.revision)
    .limit(LIMIT)
)
_tasks = (
    _changes("task", t.revision, part_key=cast(t.id, Text))
    .where(t.owner_id == OWNER, t.session_id == SESSION, t.revision > AFTER)
    .order_by(t.revision)
    .limit(LIMIT)
)
_approvals = (
    _changes("approval", p.revision, part_key=cast(p.id, Text))
    .where(p.owner_id == OWNER, p.session_id == SESSION, p.revision > AFTER)
    .order_by(p.revision)
    .limit(LIMIT)
)
_all = union_all(_session, _messages, _parts, _tasks, _approvals).subquery("changes")
CHANGES = statement(select(*_all.c).order_by(_all.c.revision).limit(LIMIT), ChangeRow)
