"""Statements on streaming messages: start, extend with text, read. `streaming_end` has those that end one.

While a message is STREAMING the text in its row is empty: the text so far is in its chunks, in order, and the end
folds the chunks into the row. A chunk of parts has the text inside them too; `streaming_parts` has what differs. The
order of locks is session, stream, message; an extend locks the stream alone, so it blocks nothing else.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Text,
    Update,
    and_,
    any_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, aggregate_order_by

from app.db.access.routed import Step
from app.db.access.statement import OWNER, Row, Statement, statement
from app.db.access.transaction import Tx
from app.db.append import ADVANCE, DRAFT_TYPES, NEW_NUMBERS, NUMBER_COLUMNS, advance_session, session_effects
from app.db.message import MESSAGE_COLUMNS
from app.db.reading.nested import parent_table
from app.db.reading.rows import MessageRow, StreamingRow
from app.db.tables import message_chunks, messages, sessions, streams
from app.db.tables.columns import Timestamp, Uuid

s, m, x, c = sessions.c, messages.c, streams.c, message_chunks.c

SESSION, SEQUENCE = bindparam("session_id", type_=Uuid), bindparam("sequence", type_=Integer)
FENCE, NEW_FENCE = bindparam("fence", type_=Text), bindparam("new_fence", type_=Text)
PARTS_FORMAT = bindparam("parts_format", type_=Text)
OFFSET, TEXT = bindparam("offset", type_=Integer), bindparam("text", type_=Text)
HAS_KEY = and_(x.owner_id == OWNER, x.session_id == SESSION, x.sequence == SEQUENCE)
# A change of the indexed active_at costs an entry in each index: few of the chunks of a stream pay for one.
_beginning_of_time = literal(datetime.fromtimestamp(0, UTC), Timestamp)
_rounded_now = func.date_bin(literal(timedelta(seconds=15)), func.now(), _beginning_of_time)
NOW_ACTIVE: dict[str, Any] = {"updated_at": func.now(), "active_at": func.greatest(x.active_at, _rounded_now)}


def concatenated(text: ColumnElement[str], offset: ColumnElement[int]) -> ColumnElement[str]:
    """The chunks in the order of their offsets, as one text."""
    return func.string_agg(text, aggregate_order_by(literal("", Text), offset))


# Starting: a message at the session's new end, and its stream.
_head = advance_session()
_h = _head.c
_started = (
    insert(messages)
    .from_select(
        [*NUMBER_COLUMNS, "status", "text", "role", "key", "agent_key", "metadata"],
        select(
            *(_h.owner_id, _h.id, _h.last_sequence, _h.head, _h.head),
            *(literal("STREAMING", Text), literal("", Text)),
            *(bindparam("role", type_=Text), bindparam("key", type_=Text), bindparam("agent_key", type_=Text)),
            bindparam("metadata", type_=JSON),
        ),
        include_defaults=False,
    )
    .returning(*MESSAGE_COLUMNS)
    .cte("started")
)
_opened = (
    insert(streams)
    .from_select(
        ["owner_id", "session_id", "sequence", "fence", "parts_format"],
        select(_started.c.owner_id, _started.c.session_id, _started.c.sequence, FENCE, PARTS_FORMAT),
        include_defaults=False,
    )
    .cte("opened")
)
START = statement(
    "streaming_message.start",
    "Appends a message to a session whose text or parts follow in chunks.",
    select(*_started.c).add_cte(_opened),
    MessageRow,
)
_in_session = {"owner_id": OWNER, "session_id": SESSION}
START.routed = (
    Step(ADVANCE),
    Step(
        statement(
            "streaming_message.start[open]",
            "Inserts the stream of a message that is inserted next.",
            insert(streams).values(
                **_in_session, sequence=NEW_NUMBERS["sequence"], fence=FENCE, parts_format=PARTS_FORMAT
            ),
        )
    ),
    Step(
        statement(
            "streaming_message.start[insert]",
            "Inserts a streaming message at the end of a session that is advanced.",
            insert(messages)
            .values(
                **NEW_NUMBERS,
                status="STREAMING",
                text="",
                **{name: bindparam(name, type_=DRAFT_TYPES[name]) for name in ("role", "key", "agent_key", "metadata")},
            )
            .returning(*MESSAGE_COLUMNS),
            MessageRow,
        )
    ),
)
TAKE_OVER: Statement[Row] = statement(
    "streaming_message.take_over",
    "Replaces the fence of a stream of this kind, so that the producer with the former fence is refused.",
    update(streams)
    .where(HAS_KEY, x.parts_format.is_not_distinct_from(PARTS_FORMAT))
    .values(fence=NEW_FENCE, **NOW_ACTIVE)
    .returning(x.sequence),
)

# Extending: the narrow row checks fence and offset; the message's row comes back unchanged.
LENGTH = bindparam("expected_length", type_=Integer)
HAS_PRODUCER = and_(HAS_KEY, x.fence == FENCE, x.length == LENGTH)


def extension(extend: Update, columns: Mapping[str, ColumnElement[Any]], *conditions: ColumnElement[bool]) -> Any:
    """The message of a stream that is extended, whose chunk gets these columns if the conditions hold."""
    extended = extend.cte("extended")
    e = extended.c
    chunk = insert(message_chunks).from_select(
        ["owner_id", "session_id", "sequence", "offset", *columns],
        select(e.owner_id, e.session_id, e.sequence, LENGTH, *columns.values()).where(*conditions),
        include_defaults=False,
    )
    of_extended = and_(m.owner_id == e.owner_id, m.session_id == e.session_id, m.sequence == e.sequence)
    return select(*MESSAGE_COLUMNS).select_from(extended.join(messages, of_extended)).add_cte(chunk.cte("chunk"))


_added = func.char_length(TEXT)
_extend = (
    update(streams)
    .where(
        HAS_PRODUCER,
        or_(x.parts_format.is_(None), TEXT == ""),
        x.length + _added <= bindparam("max_length", type_=Integer),
    )
    .values(length=x.length + _added, **NOW_ACTIVE)
    .returning(x.owner_id, x.session_id, x.sequence)
)
EXTEND = statement(
    "streaming_message.extend",
    "Adds a chunk of text to a streaming message, if fence and offset match. Without text only the time is renewed.",
    extension(_extend, {"text": TEXT}, TEXT != ""),
    MessageRow,
)
MESSAGE = statement(
    "streaming_message.extend[message]",
    "The message of a stream that is extended.",
    select(*MESSAGE_COLUMNS).where(m.owner_id == OWNER, m.session_id == SESSION, m.sequence == SEQUENCE),
    MessageRow,
)


def routed_extension(
    name: str,
    extend: Update,
    columns: Mapping[str, ColumnElement[Any]],
    when: Callable[[Mapping[str, Any]], bool] | None = None,
) -> tuple[Step, ...]:
    """The second form of an `extension` of this name; the chunk is inserted if `when` holds."""
    chunk = insert(message_chunks).values(**_in_session, sequence=SEQUENCE, offset=LENGTH, **columns)
    sentences = "Extends a stream, if fence and offset match, without the chunk.", "Inserts a chunk of that stream."
    return (
        Step(statement(f"{name}[stream]", sentences[0], extend)),
        Step(statement(f"{name}[chunk]", sentences[1], chunk), when),
        Step(MESSAGE),
    )


EXTEND.routed = routed_extension(EXTEND.name, _extend, {"text": TEXT}, lambda values: values["text"] != "")


class StreamStateRow(MessageRow):
    """A message and the state of its stream; `holder` and `length` are None when the stream has ended.

    `holder` is the fence of the current producer, `length` the length so far in code points or parts; `parts_format` is
    None for text.
    """

    holder: str | None
    length: int | None
    parts_format: str | None


class TextStateRow(StreamStateRow):
    """`repeats`: the text is what the stream has at the offset already; None for an empty text."""

    repeats: bool | None


_of_message = and_(x.owner_id == m.owner_id, x.session_id == m.session_id, x.sequence == m.sequence)


def state(overlapping: FromClause, *columns: ColumnElement[Any]) -> Any:
    """The columns of `StreamStateRow` and those about the chunks that overlap with a piece."""
    return (
        select(*MESSAGE_COLUMNS, x.fence.label("holder"), x.length, x.parts_format, *columns)
        .select_from(
            messages.join(sessions, and_(s.owner_id == m.owner_id, s.id == m.session_id))
            .outerjoin(streams, _of_message)
            .join(overlapping, true())
        )
        .where(
            *(m.owner_id == OWNER, m.session_id == SESSION, m.sequence == SEQUENCE),
            *(m.deleted_at.is_(None), s.deleted_at.is_(None)),
        )
    )


_overlapping = (
    select(concatenated(c.text, c.offset).label("text"), func.min(c.offset).label("offset"))
    .where(
        c.owner_id == OWNER,
        c.session_id == SESSION,
        c.sequence == SEQUENCE,
        c.offset < OFFSET + _added,
        c.offset + func.char_length(c.text) > OFFSET,
    )
    .subquery("overlapping")
)
STREAM_STATE = statement(
    "streaming_message.stream_state",
    "A message and the state of its stream, compared with a text at an offset.",
    state(
        _overlapping,
        (func.substr(_overlapping.c.text, OFFSET - _overlapping.c.offset + 1, _added) == TEXT).label("repeats"),
    ),
    TextStateRow,
)

# Reading: the text so far replaces the row's own; row and chunks are of one snapshot.
_chunks = (
    select(concatenated(c.text, c.offset).label("text"))
    .where(c.owner_id == OWNER, c.session_id == m.session_id, c.sequence == m.sequence)
    .correlate(messages)
    .lateral("chunks")
)
_text_so_far = func.coalesce(_chunks.c.text, m.text)
message_keys = parent_table(session_id=Uuid, sequence=Integer())
BY_MESSAGE_KEYS = statement(
    "streaming_message.by_message_keys",
    "The messages with these sessions and sequences, with their text so far.",
    select(
        *(column for column in MESSAGE_COLUMNS if column.name != "text"),
        _text_so_far.label("text"),
        message_keys.c["index"].label("parent"),
    )
    .select_from(
        message_keys.join(
            messages, and_(m.session_id == message_keys.c.session_id, m.sequence == message_keys.c.sequence)
        ).join(_chunks, true())
    )
    .where(m.owner_id == OWNER, m.deleted_at.is_(None)),
    StreamingRow,
)
STREAMING_SESSIONS: Statement[Row] = statement(
    "streaming_message.streaming_sessions",
    "Those of the sessions in which a message is being written.",
    select(x.session_id)
    .where(x.owner_id == OWNER, x.session_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .distinct(),
)


async def start(tx: Tx, session_id: str, draft: Mapping[str, Any], fence: str, parts_format: str | None) -> MessageRow:
    """A message at the end of the locked session, open to the producer that has the fence; no format: for text."""
    effects = session_effects([{**draft, "text": ""}])
    row = await tx.one(
        START, session_id=session_id, expected=None, fence=fence, parts_format=parts_format, **draft, **effects
    )
    assert row is not None  # the caller has made the session ready
    tx.record_change(session_id, row.revision)
    return row
