"""Statements on messages that are being written. While a message is STREAMING its row's text is empty.

What was written so far lies in its chunks, in order; the end folds them into the row. The order of locks is session,
stream, message; an extend takes the stream's alone, so it is in nobody's way for longer than it takes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, aggregate_order_by

from app.db import message, session
from app.db.access.database import OWNER, Row, Statement, Tx, statement
from app.db.append import PLACE, effects, moved_on
from app.db.message import SEEN, words
from app.db.reading.page import parent_table
from app.db.reading.rows import DocumentRow, MessageRow, SessionRow, StreamingRow
from app.db.tables import message_chunks, messages, sessions, streams
from app.db.tables.columns import Moment, Uuid

s, m, x, c = sessions.c, messages.c, streams.c, message_chunks.c

SESSION, SEQUENCE = bindparam("session_id", type_=Uuid), bindparam("sequence", type_=Integer)
FENCE, BEFORE = bindparam("fence", type_=Text), bindparam("before", type_=Moment)
OFFSET, TEXT = bindparam("offset", type_=Integer), bindparam("text", type_=Text)
THIS = and_(x.owner_id == OWNER, x.session_id == SESSION, x.sequence == SEQUENCE)
OF_MESSAGE = and_(x.owner_id == m.owner_id, x.session_id == m.session_id, x.sequence == m.sequence)


def _in_order(text: ColumnElement[str], offset: ColumnElement[int]) -> ColumnElement[str]:
    return func.string_agg(text, aggregate_order_by(literal("", Text), offset))


# Starting: a message at the session's new end, and its stream.
_head = moved_on()
_h = _head.c
_started = (
    insert(messages)
    .from_select(
        [*PLACE, "status", "text", "role", "key", "agent_key", "metadata"],
        select(
            *(_h.owner_id, _h.id, _h.last_sequence, _h.head, _h.head),
            *(literal("STREAMING", Text), literal("", Text)),
            *(bindparam("role", type_=Text), bindparam("key", type_=Text), bindparam("agent_key", type_=Text)),
            bindparam("metadata", type_=JSON),
        ),
        include_defaults=False,
    )
    .returning(*SEEN)
    .cte("started")
)
_opened = (
    insert(streams)
    .from_select(
        ["owner_id", "session_id", "sequence", "fence"],
        select(_started.c.owner_id, _started.c.session_id, _started.c.sequence, FENCE),
        include_defaults=False,
    )
    .cte("opened")
)
START = statement(select(*_started.c).add_cte(_opened), MessageRow)
TAKE_OVER: Statement[Row] = statement(
    update(streams).where(THIS).values(fence=bindparam("new_fence", type_=Text), updated_at=func.now())
)

# Extending: fence and offset are the narrow row's to check; the message comes back as it is.
_added = func.char_length(TEXT)
_length = bindparam("expected_length", type_=Integer)
_grown = (
    update(streams)
    .where(THIS, x.fence == FENCE, x.length == _length, x.length + _added <= bindparam("longest", type_=Integer))
    .values(length=x.length + _added, updated_at=func.now())
    .returning(x.owner_id, x.session_id, x.sequence)
    .cte("grown")
)
_g = _grown.c
_chunk = (
    insert(message_chunks)
    .from_select(
        ["owner_id", "session_id", "sequence", "offset", "text"],
        select(_g.owner_id, _g.session_id, _g.sequence, _length, TEXT).where(TEXT != ""),
        include_defaults=False,
    )
    .cte("chunk")
)
EXTEND = statement(
    select(*SEEN)
    .select_from(
        _grown.join(messages, and_(m.owner_id == _g.owner_id, m.session_id == _g.session_id, m.sequence == _g.sequence))
    )
    .add_cte(_chunk),
    MessageRow,
)


class StandingRow(MessageRow):
    """A message, and where its stream stands: nowhere (all None) when it has ended."""

    holder: str | None
    length: int | None
    same: bool | None


_span = (
    select(_in_order(c.text, c.offset).label("text"), func.min(c.offset).label("offset"))
    .where(
        c.owner_id == OWNER,
        c.session_id == SESSION,
        c.sequence == SEQUENCE,
        c.offset < OFFSET + _added,
        c.offset + func.char_length(c.text) > OFFSET,
    )
    .subquery("span")
)
# Whether `text` is what was written at `offset` before, across chunks; of an empty text, nobody can tell.
STANDING = statement(
    select(
        *SEEN,
        x.fence.label("holder"),
        x.length,
        (func.substr(_span.c.text, OFFSET - _span.c.offset + 1, _added) == TEXT).label("same"),
    )
    .select_from(
        messages.join(sessions, and_(s.owner_id == m.owner_id, s.id == m.session_id))
        .outerjoin(streams, OF_MESSAGE)
        .join(_span, true())
    )
    .where(
        *(m.owner_id == OWNER, m.session_id == SESSION, m.sequence == SEQUENCE),
        *(m.deleted_at.is_(None), s.deleted_at.is_(None)),
    ),
    StandingRow,
)

# Ending: first the stream, so that an extend in flight is waited for; then the fold, whose snapshot has its chunk.
CLOSE: Statement[Row] = statement(
    delete(streams)
    .where(THIS, or_(FENCE.is_(None), x.fence == FENCE), or_(BEFORE.is_(None), x.updated_at < BEFORE))
    .returning(x.sequence)
)
DROP: Statement[Row] = statement(
    delete(message_chunks).where(c.owner_id == OWNER, c.session_id == SESSION, c.sequence == SEQUENCE)
)
ENDING: dict[str, Any] = {
    "raw": Text,
    "content": JSON,
    "input_tokens": Integer,
    "output_tokens": Integer,
    "total_tokens": Integer,
}
NO_ENDING: dict[str, Any] = dict.fromkeys(("fence", "text", "metadata", *ENDING))
_gone = (
    delete(message_chunks)
    .where(c.owner_id == OWNER, c.session_id == SESSION, c.sequence == SEQUENCE)
    .returning(c.offset, c.text)
    .cte("gone")
)
_whole = select(func.coalesce(TEXT, _in_order(_gone.c.text, _gone.c.offset), "").label("text")).cte("whole")
FOLD = statement(
    update(messages)
    .where(message.THIS)
    .values(
        status=bindparam("new_status", type_=Text),
        revision=bindparam("next_revision", type_=BigInteger),
        updated_at=func.now(),
        fence=FENCE,
        text=_whole.c.text,
        tsv=words(_whole.c.text),
        metadata=func.coalesce(bindparam("new_metadata", type_=JSON), m.metadata, type_=JSON),
        **{name: bindparam(f"new_{name}", type_=kind) for name, kind in ENDING.items()},
    )
    .returning(*SEEN),
    MessageRow,
)


class EndedRow(DocumentRow):
    """A message with its document, and the fence under which it was finished, if it was."""

    fence: str | None


ENDED = statement(select(*SEEN, m.raw, m.content, m.fence).where(message.THIS), EndedRow)
OPEN_IN: Statement[Row] = statement(
    select(x.sequence)
    .where(x.owner_id == OWNER, x.session_id == SESSION, or_(BEFORE.is_(None), x.updated_at < BEFORE))
    .order_by(x.sequence)
)

# Reading, the text so far in the place of the row's own; row and chunks are of one snapshot.
_so_far = (
    select(_in_order(c.text, c.offset).label("text"))
    .where(c.owner_id == m.owner_id, c.session_id == m.session_id, c.sequence == m.sequence)
    .correlate(messages)
    .lateral("so_far")
)
_text = func.coalesce(_so_far.c.text, m.text)
places = parent_table(session_id=Uuid, sequence=Integer())
BY_PLACES = statement(
    select(
        *(column for column in SEEN if column.name != "text"),
        _text.label("text"),
        func.char_length(_text).label("length"),
        places.c.place.label("parent"),
    )
    .select_from(
        places.join(messages, and_(m.session_id == places.c.session_id, m.sequence == places.c.sequence)).join(
            _so_far, true()
        )
    )
    .where(m.owner_id == OWNER, m.deleted_at.is_(None)),
    StreamingRow,
)
RUNNING: Statement[Row] = statement(
    select(x.session_id)
    .where(x.owner_id == OWNER, x.session_id == any_(bindparam("ids", type_=ARRAY(Uuid))))
    .distinct()
)


async def start(tx: Tx, session_id: str, draft: Mapping[str, Any], fence: str) -> MessageRow:
    """A message at the end of the locked session, open to whoever has the fence."""
    row = await tx.one(
        START, session_id=session_id, expected=None, fence=fence, **draft, **effects([{**draft, "text": ""}])
    )
    assert row is not None  # its session was made ready
    tx.record_change(session_id, row.revision)
    return row


async def close(tx: Tx, place: tuple[str, int], fence: str | None = None, before: datetime | None = None) -> bool:
    """Ends a stream of the locked session, if it is this producer's, and silent since that moment. Whether it did."""
    return await tx.one(CLOSE, session_id=place[0], sequence=place[1], fence=fence, before=before) is not None


async def fold(
    tx: Tx, place: tuple[str, int], status: str, indexing: Mapping[str, Any], fields: Mapping[str, Any] = NO_ENDING
) -> MessageRow:
    """The message of a closed stream, whole: what was written, unless `fields` have a text, in its row."""
    held = await tx.one(session.LOCK, session_id=place[0])
    assert held is not None  # its row is locked
    given = {**NO_ENDING, **fields}
    named = {f"new_{name}": given[name] for name in ("metadata", *ENDING)}
    row = await tx.one(
        FOLD,
        session_id=place[0],
        sequence=place[1],
        new_status=status,
        next_revision=held.head,
        fence=given["fence"],
        text=given["text"],
        **named,
        **indexing,
    )
    assert row is not None  # it had a stream
    await _name_session(tx, held, row)
    return row


async def _name_session(tx: Tx, held: SessionRow, row: MessageRow) -> None:
    """As an append of the whole message would have: the first USER message gives the session its title."""
    title = message.title_of(row.text) if row.role == "USER" and not held.title else ""
    named = await session.change(tx, held.id, {"title": title}, None) if title else None
    tx.record_change(held.id, (named or held).head)


async def end_all(
    tx: Tx, session_id: str, status: str, indexing: Mapping[str, Any], before: datetime | None = None
) -> int:
    """Ends what is being written in the locked session, or has been silent since that moment; how many messages."""
    ended = 0
    for row in await tx.fetch(OPEN_IN, session_id=session_id, before=before):
        place = session_id, row["sequence"]
        if await close(tx, place, before=before):
            await fold(tx, place, status, indexing)
            ended += 1
    return ended


async def discard(tx: Tx, place: tuple[str, int]) -> None:
    """Ends a stream of the locked session, if there is one, and all that was written in it."""
    if await close(tx, place):
        await tx.fetch(DROP, session_id=place[0], sequence=place[1])
