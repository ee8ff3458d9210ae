"""Appending: lock, number, insert, return, in one statement (invariant 2); with its idempotency key in it, if any."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Insert,
    Integer,
    LargeBinary,
    Text,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSON

from app.db.access import failures
from app.db.access.database import OWNER, Database, Tx, Viewer, statement
from app.db.message import SEEN, title_of, words
from app.db.reading.page import parent_arrays, parent_table
from app.db.reading.rows import MessageRow
from app.db.tables import idempotency_keys, messages, sessions
from app.db.tables.columns import Moment

s, k = sessions.c, idempotency_keys.c

# What an append does to its session. The session itself changes, and takes a number before the messages', when they
# make it ACTIVE or give it a title.
TITLE = bindparam("title", type_=Text)
NAMED = and_(s.title == "", TITLE != "")
CHANGES = or_(s.status == "PENDING", NAMED)
ADDED, UNREAD = bindparam("added", type_=Integer), bindparam("unread", type_=Integer)
EXPECTED = bindparam("expected", type_=Integer)
OPEN = and_(
    s.owner_id == OWNER,
    s.id == bindparam("session_id"),
    s.deleted_at.is_(None),
    s.archived_at.is_(None),
    or_(s.status == "PENDING", s.status == "ACTIVE"),
    or_(s.expires_at.is_(None), s.expires_at > func.now()),
    or_(EXPECTED.is_(None), s.last_sequence == EXPECTED),
)


def moved_on(*conditions: ColumnElement[bool]) -> CTE:
    """The session, moved on by the messages; no row if it does not take them as it is."""
    return (
        update(sessions)
        .where(OPEN, *conditions)
        .values(
            last_sequence=s.last_sequence + ADDED,
            message_count=s.message_count + ADDED,
            unread_count=s.unread_count + UNREAD,
            head=s.head + ADDED + case((CHANGES, 1), else_=0),
            revision=case((CHANGES, s.head + 1), else_=s.revision),
            updated_at=case((CHANGES, func.now()), else_=s.updated_at),
            status="ACTIVE",
            title=case((NAMED, TITLE), else_=s.title),
            last_activity_at=func.greatest(s.last_activity_at, func.now()),
        )
        .returning(s.owner_id, s.id, s.last_sequence, s.head)
        .cte("head")
    )


DRAFT: dict[str, Any] = {
    "key": Text,
    "agent_key": Text,
    "role": Text,
    "text": Text,
    "raw": Text,
    "content": JSON,
    "input_tokens": Integer,
    "output_tokens": Integer,
    "total_tokens": Integer,
    "metadata": JSON,
    "client_created_at": Moment,
}
PLACE = ("owner_id", "session_id", "sequence", "created_revision", "revision")


def _stored(head: CTE) -> Insert:
    """One message at the session's new end."""
    h, draft = head.c, [bindparam(name, type_=kind) for name, kind in DRAFT.items()]
    place = (h.owner_id, h.id, h.last_sequence, h.head, h.head)
    return insert(messages).from_select(
        [*PLACE, "tsv", *DRAFT],
        select(*place, words(bindparam("text", type_=Text)), *draft),
        include_defaults=False,
    )


APPEND = statement(_stored(moved_on()).returning(*SEEN), MessageRow)


class OnceRow(MessageRow):
    """The message that was appended, or what its key was used for before; or neither, all NULL."""

    request_hash: bytes | None
    result: str | None


ONCE, HASH = bindparam("once", type_=Text), bindparam("request_hash", type_=LargeBinary)
_prior = select(k.request_hash, k.result).where(k.owner_id == OWNER, k.key == ONCE).cte("prior")
_once = moved_on(not_(select(1).select_from(_prior).exists()))
_appended = _stored(_once).returning(*SEEN).cte("appended")
# A plain INSERT: a twin that commits while we wait must raise, and take our message with it.
_kept = (
    insert(idempotency_keys)
    .from_select(
        ["owner_id", "key", "request_hash", "result"],
        select(
            _once.c.owner_id,
            ONCE,
            HASH,
            func.json_build_object(
                *("session", _once.c.id, "sequence", _once.c.last_sequence, "revision", _once.c.head), type_=JSON
            ),
        ),
        include_defaults=False,
    )
    .cte("kept")
)
_row = select(literal(1, Integer).label("one")).subquery("row")
APPEND_ONCE = statement(
    select(_prior.c.request_hash, _prior.c.result, *_appended.c)
    .select_from(_row.outerjoin(_prior, true()).outerjoin(_appended, true()))
    .add_cte(_kept),
    OnceRow,
)

_many = moved_on()
given = parent_table(**DRAFT)
APPEND_MANY = statement(
    insert(messages)
    .from_select(
        [*PLACE, "tsv", *DRAFT],
        select(
            _many.c.owner_id,
            _many.c.id,
            _many.c.last_sequence - ADDED + given.c.place,
            _many.c.head - ADDED + given.c.place,
            _many.c.head - ADDED + given.c.place,
            words(given.c.text),
            *(given.c[name] for name in DRAFT),
        ).select_from(_many.join(given, true())),
        include_defaults=False,
    )
    .returning(*SEEN),
    MessageRow,
)


async def append(
    db: Database,
    viewer: Viewer,
    session_id: str,
    draft: Mapping[str, Any],
    expected: int | None,
    indexing: Mapping[str, Any],
) -> MessageRow | None:
    """One message at the end of the session; None when the session does not take it as it is."""
    values = {**draft, **indexing, **effects([draft])}
    async with db.session_queue(viewer, session_id):
        row = await db.one(viewer, APPEND, session_id=session_id, expected=expected, **values)
    if row is not None:
        db.record_change(viewer, session_id, row.revision)
    return row


async def append_once(
    db: Database,
    viewer: Viewer,
    session_id: str,
    draft: Mapping[str, Any],
    expected: int | None,
    indexing: Mapping[str, Any],
    once: tuple[str, bytes],
) -> OnceRow:
    """The same under an idempotency key and the hash of the request; a twin in flight is waited for."""
    values = {**draft, **indexing, **effects([draft]), "once": once[0], "request_hash": once[1]}
    async with db.session_queue(viewer, session_id):
        try:
            rows = await db.fetch(viewer, APPEND_ONCE, session_id=session_id, expected=expected, **values)
        except Exception as error:
            if not failures.violates(error, "idempotency_keys_pkey"):
                raise
            rows = await db.fetch(viewer, APPEND_ONCE, session_id=session_id, expected=expected, **values)
    [row] = rows
    if row.session_id is not None:
        db.record_change(viewer, session_id, row.revision)
    return row


async def append_many(
    tx: Tx,
    session_id: str,
    drafts: Sequence[Mapping[str, Any]],
    expected: int | None,
    indexing: Mapping[str, Any],
) -> list[MessageRow]:
    """Messages at the end of the session, in their order; none when the session does not take them as it is."""
    named = parent_arrays(tuple(DRAFT), [tuple(draft[name] for name in DRAFT) for draft in drafts])
    values = {**named, **indexing, **effects(drafts)}
    rows = await tx.fetch(APPEND_MANY, session_id=session_id, expected=expected, **values)
    return sorted(rows, key=lambda row: row.sequence)


def effects(drafts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What these messages do to their session: how many, how many unread, and the title that it may take."""
    titles = (title_of(draft["text"]) for draft in drafts if draft["role"] == "USER")
    unread = sum(draft["role"] != "USER" for draft in drafts)
    return {"added": len(drafts), "unread": unread, "title": next(filter(None, titles), "")}
