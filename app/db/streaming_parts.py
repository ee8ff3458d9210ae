"""Statements on streaming messages that consist of parts: what differs from those of text in `streaming_message`.

Offsets and lengths count parts. A chunk has the JSON texts of its parts, one per line: JSON as the scalar writes it has
no line break.
"""

from sqlalchemy import Integer, Text, and_, bindparam, func, literal, select, true, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.db.access.statement import OWNER, statement
from app.db.reading.nested import parent_table
from app.db.reading.rows import Entity, MessageRow
from app.db.streaming_message import (
    HAS_PRODUCER,
    NOW_ACTIVE,
    OFFSET,
    SEQUENCE,
    SESSION,
    TEXT,
    StreamStateRow,
    extension,
    routed_extension,
    state,
)
from app.db.tables import message_chunks, streams
from app.db.tables.columns import Uuid

x, c = streams.c, message_chunks.c
PARTS, COUNT = bindparam("parts", type_=Text), bindparam("count", type_=Integer)
LINE_BREAK = literal("\n", Text)
IN_ORDER = func.string_agg(c.parts, aggregate_order_by(LINE_BREAK, c.offset))

_bytes = bindparam("bytes", type_=Integer)
_extend = (
    update(streams)
    .where(
        *(HAS_PRODUCER, x.parts_format.is_not(None)),
        x.size + _bytes <= bindparam("max_bytes", type_=Integer),
    )
    .values(length=x.length + COUNT, size=x.size + _bytes, **NOW_ACTIVE)
    .returning(x.owner_id, x.session_id, x.sequence)
)
_columns = {"text": TEXT, "parts": PARTS}
EXTEND = statement(
    "streaming_parts.extend",
    "Adds a chunk of parts to a streaming message, if fence and offset match.",
    extension(_extend, _columns),
    MessageRow,
)
EXTEND.routed = routed_extension(EXTEND.name, _extend, _columns)


class PartsStateRow(StreamStateRow):
    """`chunks`: the parts of the chunks that overlap with the piece, from the part `offset` on; None for none."""

    chunks: str | None
    offset: int | None


_of_key = (c.owner_id == OWNER, c.session_id == SESSION, c.sequence == SEQUENCE)
b = message_chunks.alias("before").c
_first = (
    select(func.max(b.offset))
    .where(b.owner_id == OWNER, b.session_id == SESSION, b.sequence == SEQUENCE, b.offset <= OFFSET)
    .scalar_subquery()
)
_overlapping = (
    select(IN_ORDER.label("chunks"), func.min(c.offset).label("offset"))
    .where(*_of_key, c.offset >= func.coalesce(_first, 0), c.offset < OFFSET + COUNT)
    .subquery("overlapping")
)
STATE = statement(
    "streaming_parts.stream_state",
    "A message and the state of its stream, with the parts that a piece at an offset overlaps.",
    state(_overlapping, _overlapping.c.chunks, _overlapping.c.offset),
    PartsStateRow,
)


class PartsRow(Entity):
    """The parts of a stream from the part `offset` on: JSON texts, one per line; both None if there are none."""

    parts: str | None
    offset: int | None


keys = parent_table(session_id=Uuid, sequence=Integer(), after=Integer())
_before = (
    select(func.max(c.offset).label("first"))
    .where(
        *(c.owner_id == OWNER, c.session_id == keys.c.session_id, c.sequence == keys.c.sequence),
        c.offset <= keys.c.after,
    )
    .correlate(keys)
    .lateral("before")
)
_parts = (
    select(IN_ORDER.label("parts"), func.min(c.offset).label("offset"))
    .where(
        *(c.owner_id == OWNER, c.session_id == x.session_id, c.sequence == x.sequence),
        c.offset >= func.coalesce(_before.c.first, 0),
    )
    .correlate(streams, _before)
    .lateral("so_far")
)
BY_MESSAGE_KEYS = statement(
    "streaming_parts.by_message_keys",
    "The parts so far of the messages with these sessions and sequences, from the chunk with a part on.",
    select(_parts.c.parts, _parts.c.offset, keys.c["index"].label("parent"))
    .select_from(
        keys.join(streams, and_(x.session_id == keys.c.session_id, x.sequence == keys.c.sequence))
        .join(_before, true())
        .join(_parts, true())
    )
    .where(x.owner_id == OWNER, x.parts_format.is_not(None)),
    PartsRow,
)


def split(lines: str | None) -> list[str]:
    """The JSON texts of a chunk."""
    return lines.split("\n") if lines else []
