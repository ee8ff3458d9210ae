"""The changes of a session after a change number: one range read, in the order of the numbers (invariant 3)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    union_all,
)

from app.db import session_history
from app.db.access.statement import OWNER, statement
from app.db.message import MESSAGE_COLUMNS
from app.db.reading.nested import parent_table
from app.db.reading.rows import ChangeRow, ChunkRow, HeadRow, StreamedRow
from app.db.streaming_message import concatenated
from app.db.streaming_parts import IN_ORDER
from app.db.tables import approvals, message_chunks, messages, session_agents, sessions, streams, tasks
from app.db.tables.columns import Uuid

s, m, g, t, p = sessions.c, messages.c, session_agents.c, tasks.c, approvals.c
SESSION, AFTER = bindparam("session_id", type_=Uuid), bindparam("after", type_=BigInteger)
LIMIT, VERIFIED = bindparam("limit", type_=Integer), bindparam("verified", type_=Boolean)


def _changes(
    kind: str | ColumnElement[str],
    revision: ColumnElement[int],
    sequence: ColumnElement[int] | None = None,
    agent_kind: ColumnElement[str] | None = None,
    key: ColumnElement[str] | None = None,
) -> Select[int, str, int, str, str]:
    """The columns of `ChangeRow` for one kind of row."""
    return select(
        revision.label("revision"),
        (literal(kind, Text) if isinstance(kind, str) else kind).label("kind"),
        (literal(0, Integer) if sequence is None else sequence).label("sequence"),
        (literal("", Text) if agent_kind is None else agent_kind).label("agent_kind"),
        (literal("", Text) if key is None else key).label("key"),
    )


# One row also for a session that is not there. "history" takes the place of the session's own change, which the reader
# reads again once it has verified its position.
_one_row = select(literal(1, Integer).label("one")).subquery("one_row")
_other_history = and_(not_(VERIFIED), or_(s.id.is_(None), session_history.doubtful(s.head, s.fork_revision, AFTER)))
_session = (
    _changes(
        case((_other_history, literal("history", Text)), else_=literal("session", Text)),
        case((_other_history, literal(0, BigInteger)), else_=s.revision),
    )
    .select_from(_one_row.outerjoin(sessions, and_(s.owner_id == OWNER, s.id == SESSION)))
    .where(or_(s.revision > AFTER, _other_history))
)
_messages = (
    _changes("message", m.revision, m.sequence)
    .where(m.owner_id == OWNER, m.session_id == SESSION, m.revision > AFTER)
    .order_by(m.revision)
    .limit(LIMIT)
)
_agents = (
    _changes("session_agent", g.revision, agent_kind=g.kind, key=g.key)
    .where(g.owner_id == OWNER, g.session_id == SESSION, g.revision > AFTER)
    .order_by(g.revision)
    .limit(LIMIT)
)
_tasks = (
    _changes("task", t.revision, key=cast(t.id, Text))
    .where(t.owner_id == OWNER, t.session_id == SESSION, t.revision > AFTER)
    .order_by(t.revision)
    .limit(LIMIT)
)
_approvals = (
    _changes("approval", p.revision, key=cast(p.id, Text))
    .where(p.owner_id == OWNER, p.session_id == SESSION, p.revision > AFTER)
    .order_by(p.revision)
    .limit(LIMIT)
)
_all = union_all(_session, _messages, _agents, _tasks, _approvals).subquery("changes")
CHANGES = statement(
    "session_changes.after",
    "The changed rows of a session after a change number, in the order of the numbers; before them a row of the kind "
    "history if the number may not belong to the session, unless that is verified.",
    select(*_all.c).order_by(_all.c.revision).limit(LIMIT),
    ChangeRow,
)

x, c = streams.c, message_chunks.c
_streaming = select(1).where(x.owner_id == OWNER, x.session_id == s.id).correlate(sessions).exists()
HEAD = statement(
    "session_changes.head",
    "A session's newest change number, and if a message in it is streaming; of a deleted or erased session too.",
    select(s.head, s.revision, s.horizon, s.erased_at, s.fork_revision, _streaming.label("streaming")).where(
        s.owner_id == OWNER, s.id == SESSION
    ),
    HeadRow,
)
_so_far = (
    select(func.coalesce(concatenated(c.text, c.offset), "").label("text"), IN_ORDER.label("parts"))
    .where(c.owner_id == OWNER, c.session_id == x.session_id, c.sequence == x.sequence)
    .correlate(streams)
    .lateral("so_far")
)
# LIMIT: the planner, misled by its estimates, would read all messages of the session.
_of_stream = (
    select(*(column for column in MESSAGE_COLUMNS if column.name != "text"))
    .where(m.owner_id == OWNER, m.session_id == x.session_id, m.sequence == x.sequence)
    .limit(1)
    .correlate(streams)
    .lateral("of_stream")
)
# Row, text, parts and length of one snapshot: a reader that continues from this length misses and repeats nothing.
STREAMING = statement(
    "session_changes.streaming_messages",
    "The streaming messages of a session, with their text and parts so far.",
    select(_of_stream, _so_far.c.text, _so_far.c.parts, x.parts_format, x.length)
    .select_from(streams.join(_of_stream, true()).join(_so_far, true()))
    .where(x.owner_id == OWNER, x.session_id == SESSION),
    StreamedRow,
)
_known = parent_table(sequence=Integer(), offset=Integer())
NEW_CHUNKS = statement(
    "session_changes.new_chunks",
    "The chunks of streaming messages from an offset on, per message.",
    select(c.sequence, c.offset, c.text, c.parts)
    .select_from(_known.join(message_chunks, and_(c.sequence == _known.c.sequence, c.offset >= _known.c.offset)))
    .where(c.owner_id == OWNER, c.session_id == SESSION)
    .order_by(c.sequence, c.offset),
    ChunkRow,
)
