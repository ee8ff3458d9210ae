"""What has changed in a session after a number: one indexed range read, in the order of the numbers (invariant 3)."""

from sqlalchemy import BigInteger, Integer, Text, bindparam, literal, select, union_all

from app.db.database import OWNER, statement
from app.db.metadata import Uuid
from app.db.rows import ChangeRow
from app.db.tables import messages, session_agents, sessions

s, m, g = sessions.c, messages.c, session_agents.c
SESSION, AFTER = bindparam("session_id", type_=Uuid), bindparam("after", type_=BigInteger)
LIMIT = bindparam("limit", type_=Integer)
NO_TEXT, NO_NUMBER = literal("", Text), literal(0, Integer)

_session = select(s.revision, literal("session", Text).label("kind"), NO_NUMBER, NO_TEXT, NO_TEXT).where(
    s.owner_id == OWNER, s.id == SESSION, s.revision > AFTER
)
_messages = (
    select(m.revision, literal("message", Text), m.sequence, NO_TEXT, NO_TEXT)
    .where(m.owner_id == OWNER, m.session_id == SESSION, m.revision > AFTER)
    .order_by(m.revision)
    .limit(LIMIT)
)
_parts = (
    select(g.revision, literal("part", Text), NO_NUMBER, g.kind, g.key)
    .where(g.owner_id == OWNER, g.session_id == SESSION, g.revision > AFTER)
    .order_by(g.revision)
    .limit(LIMIT)
)
_all = union_all(_session, _messages, _parts).subquery("changes")
_columns = list(_all.c)
CHANGES = statement(
    select(
        _columns[0].label("revision"),
        _columns[1].label("kind"),
        _columns[2].label("sequence"),
        _columns[3].label("part_kind"),
        _columns[4].label("part_key"),
    )
    .order_by(_columns[0])
    .limit(LIMIT),
    ChangeRow,
)
