"""Statements that end a streaming message: close its stream, then fold the chunks into the message's row.

First the stream, so that the end waits for an extend in flight; then the fold, whose snapshot has that extend's chunk.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSON

from app.db import message, session
from app.db.access.statement import OWNER, Row, Statement, statement
from app.db.access.transaction import Tx
from app.db.message import DOCUMENT_COLUMNS, MESSAGE_COLUMNS, WORDS, search_vector, vector_parameters
from app.db.reading.rows import DocumentRow, MessageKey, MessageRow, SessionRow
from app.db.streaming_message import FENCE, HAS_KEY, SEQUENCE, SESSION, TEXT, concatenated
from app.db.streaming_parts import IN_ORDER, split
from app.db.tables import message_chunks, messages, streams
from app.db.tables.columns import Timestamp
from app.documents.parts import message_of
from app.documents.reader import read
from app.documents.title import title_of

m, x, c = messages.c, streams.c, message_chunks.c
BEFORE = bindparam("before", type_=Timestamp)
IS_SILENT = or_(BEFORE.is_(None), x.updated_at < BEFORE)
CHUNKS_OF_KEY = (c.owner_id == OWNER, c.session_id == SESSION, c.sequence == SEQUENCE)


class ClosedRow(Row):
    """A stream that was closed; `parts_format` is None for text."""

    sequence: int
    parts_format: str | None


CLOSE = statement(
    "streaming_end.close",
    "Deletes a stream, if it has this fence and is silent since a time.",
    delete(streams)
    .where(HAS_KEY, or_(FENCE.is_(None), x.fence == FENCE), IS_SILENT)
    .returning(x.sequence, x.parts_format),
    ClosedRow,
)
DELETE_CHUNKS: Statement[Row] = statement(
    "streaming_end.delete_chunks", "Deletes the chunks of a message.", delete(message_chunks).where(*CHUNKS_OF_KEY)
)
OPEN_IN_SESSION: Statement[Row] = statement(
    "streaming_end.open_in_session",
    "The streams of a session that are silent since a time.",
    select(x.sequence).where(x.owner_id == OWNER, x.session_id == SESSION, IS_SILENT).order_by(x.sequence),
)
FINAL_TYPES: dict[str, Any] = {
    "raw": Text,
    "content": JSON,
    "input_tokens": Integer,
    "output_tokens": Integer,
    "total_tokens": Integer,
}
NO_FIELDS: dict[str, Any] = dict.fromkeys(("fence", "text", "metadata", *FINAL_TYPES))
TEXT_SO_FAR: Statement[Row] = statement(
    "streaming_end.text_so_far",
    "The text of the chunks of a message.",
    select(func.coalesce(concatenated(c.text, c.offset), "").label("text")).where(*CHUNKS_OF_KEY),
)
PARTS_SO_FAR: Statement[Row] = statement(
    "streaming_end.parts_so_far",
    "The parts of the chunks of a message.",
    select(IN_ORDER.label("parts")).where(*CHUNKS_OF_KEY),
)
FOLD = statement(
    "streaming_end.fold",
    "Ends a streaming message: its row gets the text, and its chunks are deleted.",
    update(messages)
    .where(message.HAS_KEY)
    .values(
        status=bindparam("new_status", type_=Text),
        revision=bindparam("next_revision", type_=BigInteger),
        updated_at=func.now(),
        fence=FENCE,
        text=TEXT,
        tsv=search_vector(WORDS),
        metadata=func.coalesce(bindparam("new_metadata", type_=JSON), m.metadata, type_=JSON),
        **{name: bindparam(f"new_{name}", type_=type_) for name, type_ in FINAL_TYPES.items()},
    )
    .returning(*MESSAGE_COLUMNS)
    .add_cte(delete(message_chunks).where(*CHUNKS_OF_KEY).cte("deleted")),
    MessageRow,
)


class EndedRow(DocumentRow):
    """A message with its document, and the fence of the producer that finished it, if one did."""

    fence: str | None


ENDED = statement(
    "streaming_end.ended",
    "One message with its document and its fence.",
    select(*DOCUMENT_COLUMNS, m.fence).where(message.HAS_KEY),
    EndedRow,
)


async def close(tx: Tx, key: MessageKey, fence: str | None = None, before: datetime | None = None) -> ClosedRow | None:
    """Deletes a stream of the locked session, if it has this fence (None: any) and is silent since `before`.

    Returns the stream, if there was such a one.
    """
    session_id, sequence = key
    return await tx.one(CLOSE, session_id=session_id, sequence=sequence, fence=fence, before=before)


async def fold(
    tx: Tx,
    closed: ClosedRow,
    key: MessageKey,
    status: str,
    indexing: Mapping[str, Any],
    fields: Mapping[str, Any] = NO_FIELDS,
) -> MessageRow:
    """Ends the message of a closed stream. A text in `fields` replaces the text or the parts of the chunks."""
    session_id, sequence = key
    locked = await tx.one(session.LOCK, session_id=session_id)
    assert locked is not None  # its row is locked already
    values = {**NO_FIELDS, **fields}
    if values["text"] is None:
        streamed = await _streamed(tx, closed, key)
        values |= {name: value for name, value in streamed.items() if values[name] is None}
    text = values["text"]
    row = await tx.one(
        FOLD,
        session_id=session_id,
        sequence=sequence,
        new_status=status,
        next_revision=locked.head,
        fence=values["fence"],
        text=text,
        **{f"new_{name}": values[name] for name in ("metadata", *FINAL_TYPES)},
        **vector_parameters(text, indexing),
    )
    assert row is not None  # it had a stream
    await _set_title(tx, locked, row)
    return row


async def _streamed(tx: Tx, closed: ClosedRow, key: MessageKey) -> dict[str, Any]:
    """The columns that the chunks of a closed stream fold to."""
    if closed.parts_format is None:
        row = await tx.one(TEXT_SO_FAR, **key._asdict())
        return {"text": row["text"] if row else ""}
    row = await tx.one(PARTS_SO_FAR, **key._asdict())
    raw = message_of(closed.parts_format, split(row["parts"] if row else None))
    if raw is None:
        return {"text": ""}
    content = read(raw)
    return {"text": content.text, "raw": raw, "content": content.stored_blocks, **(content.usage or {})}


async def _set_title(tx: Tx, locked: SessionRow, row: MessageRow) -> None:
    """As an append of the whole message: the first USER message gives the session its title."""
    title = title_of(row.text) if row.role == "USER" and not locked.title else ""
    changed = await session.change(tx, locked.id, {"title": title}, None) if title else None
    tx.record_change(locked.id, (changed or locked).head)


async def end_all(
    tx: Tx, session_id: str, status: str, indexing: Mapping[str, Any], before: datetime | None = None
) -> int:
    """Ends the streaming messages of the locked session that are silent since `before` (None: all).

    Returns how many there were.
    """
    ended = 0
    for row in await tx.fetch(OPEN_IN_SESSION, session_id=session_id, before=before):
        key = MessageKey(session_id, row["sequence"])
        if closed := await close(tx, key, before=before):
            await fold(tx, closed, key, status, indexing)
            ended += 1
    return ended


async def discard(tx: Tx, key: MessageKey) -> None:
    """Deletes a stream of the locked session, if there is one, and its chunks."""
    if await close(tx, key):
        session_id, sequence = key
        await tx.fetch(DELETE_CHUNKS, session_id=session_id, sequence=sequence)
