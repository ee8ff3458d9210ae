"""Use cases of messages that are stored already: update, redact, delete."""

from collections.abc import Mapping
from typing import Any

from app import db
from app.db.access.transaction import Tx
from app.db.reading.rows import DocumentRow, MessageKey, MessageRow, SessionRow
from app.documents.title import title_of
from app.documents.usage import COLUMNS as USAGE
from app.errors import Conflict, IllegalTransition, NotFound
from app.resolvers import validation
from app.resolvers.message_columns import CHECKS, content_columns
from app.unit_of_work import UnitOfWork


async def update(
    work: UnitOfWork, key: MessageKey, fields: Mapping[str, Any], expected_revision: int | None
) -> MessageRow:
    """Changes fields of a message. Raises Invalid, NotFound, IllegalTransition, and Conflict if its revision is not the
    expected one.
    """
    content = {name: fields[name] for name in ("text", "raw") if name in fields}
    others = {name: value for name, value in fields.items() if name not in content}
    columns = validation.checked(others, CHECKS) | (content_columns(work, content) if content else {})
    return await _change(work, key, columns, expected_revision)


async def redact(work: UnitOfWork, key: MessageKey, fields: Mapping[str, Any]) -> MessageRow:
    """Replaces the content of a message permanently, and empties its metadata. Raises Invalid, NotFound,
    IllegalTransition.
    """
    content = content_columns(work, fields)
    columns = {name: value for name, value in content.items() if name not in USAGE} | {"metadata": "{}"}
    return await _change(work, key, columns, None, redacted=True)


async def delete(work: UnitOfWork, key: MessageKey) -> MessageRow:
    """Deletes a message, and returns its emptied row. Raises NotFound."""
    async with work.begin_in_session(key.session_id) as tx:
        session = await _lock_session(tx, key.session_id)
        await db.streaming_end.discard(tx, key)
        row = await tx.one(db.message.DELETE, **key._asdict(), next_revision=session.head)
        if row is None:
            raise NotFound("There is no such message.", field="id")
        unread = row.role != "USER" and row.sequence > session.last_read_sequence
        await tx.one(db.message.DECREMENT_COUNTS, session_id=key.session_id, unread=int(unread))
        await db.audit.record(tx, "message.deleted", row)
        tx.record_change(key.session_id, session.head)
    return row


async def _change(
    work: UnitOfWork,
    key: MessageKey,
    columns: Mapping[str, Any],
    expected_revision: int | None,
    *,
    redacted: bool = False,
) -> MessageRow:
    """Sets columns of a message under the session's lock. A title that comes from the old text changes too."""
    async with work.begin_in_session(key.session_id) as tx:
        session = await _lock_session(tx, key.session_id)
        before = await tx.one(db.message.ONE, **key._asdict())
        if before is None:
            raise NotFound("There is no such message.", field="id")
        _check_change(before, columns, expected_revision)
        if "text" in columns and _gave_title(before, session):
            title = title_of(columns["text"])
            await db.session.change(tx, key.session_id, {"title": title}, None)
            session = await _lock_session(tx, key.session_id)
        row = await db.message.change(tx, key, columns, session.head, work.settings.indexing, redacted=redacted)
        assert row is not None  # its session is locked
        if redacted:
            await db.audit.record(tx, "message.redacted", row)
        tx.record_change(key.session_id, session.head)
    return row


def _check_change(before: DocumentRow, columns: Mapping[str, Any], expected_revision: int | None) -> None:
    if expected_revision not in (None, before.revision):
        raise Conflict("The message has changed since.", field="expectedRevision", current_revision=before.revision)
    if before.status == "STREAMING" and "text" in columns:
        raise IllegalTransition(
            "The message is still being written: finish it, or cancel it first.",
            from_status="STREAMING",
            to_status="COMPLETE",
            field="id",
        )


def _gave_title(message: DocumentRow, session: SessionRow) -> bool:
    """True if the session has its title from this message."""
    return message.role == "USER" and session.title == title_of(message.text) != ""


async def _lock_session(tx: Tx, session_id: str) -> SessionRow:
    """The session under its lock, with its next change number taken."""
    session = await tx.one(db.session.LOCK, session_id=session_id)
    if session is None:
        raise NotFound("There is no such message.", field="id")
    return session
