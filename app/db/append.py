"""Appending messages: lock the session, number, insert, return, in one statement (invariant 2).

With an idempotency key the same statement stores the key and its result.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Insert,
    Integer,
    LargeBinary,
    Text,
    Update,
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
from app.db.access.database import Database
from app.db.access.routed import Step
from app.db.access.statement import OWNER, Row, Statement, statement
from app.db.access.transaction import Tx, Viewer
from app.db.message import MESSAGE_COLUMNS, WORDS, search_vector, vector_parameters, words_of
from app.db.reading.nested import parent_arrays, parent_table
from app.db.reading.rows import MessageRow
from app.db.tables import idempotency_keys, messages, sessions
from app.db.tables.columns import Timestamp, Uuid
from app.documents.title import title_of

s, k = sessions.c, idempotency_keys.c

# The effect on the session. When the messages make it ACTIVE or give it a title, the session itself changes, and takes
# a change number before those of the messages.
TITLE = bindparam("title", type_=Text)
TAKES_TITLE = and_(s.title == "", TITLE != "")
SESSION_CHANGES = or_(s.status == "PENDING", TAKES_TITLE)
COUNT, UNREAD = bindparam("count", type_=Integer), bindparam("unread", type_=Integer)
EXPECTED = bindparam("expected", type_=Integer)
ACCEPTS_MESSAGES = and_(
    s.owner_id == OWNER,
    s.id == bindparam("session_id"),
    s.deleted_at.is_(None),
    s.archived_at.is_(None),
    or_(s.status == "PENDING", s.status == "ACTIVE"),
    or_(s.expires_at.is_(None), s.expires_at > func.now()),
    or_(EXPECTED.is_(None), s.last_sequence == EXPECTED),
)


# Citus refuses now() in a CASE; a time between these two is itself, and the column then.
EVER, NEVER = literal(datetime.max.replace(tzinfo=UTC), Timestamp), literal(datetime.min.replace(tzinfo=UTC), Timestamp)
_changed_at = func.least(func.now(), case((SESSION_CHANGES, EVER), else_=NEVER))


def advance_session(*conditions: ColumnElement[bool]) -> CTE:
    """Locks the session and counts the messages in it; no row if the session does not accept them as it is."""
    return _advanced(*conditions).returning(s.owner_id, s.id, s.last_sequence, s.head).cte("head")


def _advanced(*conditions: ColumnElement[bool]) -> Update:
    return (
        update(sessions)
        .where(ACCEPTS_MESSAGES, *conditions)
        .values(
            last_sequence=s.last_sequence + COUNT,
            message_count=s.message_count + COUNT,
            unread_count=s.unread_count + UNREAD,
            head=s.head + COUNT + case((SESSION_CHANGES, 1), else_=0),
            revision=case((SESSION_CHANGES, s.head + 1), else_=s.revision),
            updated_at=func.greatest(s.updated_at, _changed_at),
            status="ACTIVE",
            title=case((TAKES_TITLE, TITLE), else_=s.title),
            last_activity_at=func.greatest(s.last_activity_at, func.now()),
        )
    )


DRAFT_TYPES: dict[str, Any] = {
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
    "client_created_at": Timestamp,
}
NUMBER_COLUMNS = ("owner_id", "session_id", "sequence", "created_revision", "revision")
"""The columns of a message that the advanced session determines."""


def _inserted(head: CTE) -> Insert:
    """One message at the session's new end."""
    h, draft = head.c, [bindparam(name, type_=type_) for name, type_ in DRAFT_TYPES.items()]
    numbers = (h.owner_id, h.id, h.last_sequence, h.head, h.head)
    return insert(messages).from_select(
        [*NUMBER_COLUMNS, "tsv", *DRAFT_TYPES],
        select(*numbers, search_vector(WORDS), *draft),
        include_defaults=False,
    )


APPEND = statement(
    "message.append",
    "Appends one message to a session.",
    _inserted(advance_session()).returning(*MESSAGE_COLUMNS),
    MessageRow,
)
ADVANCE: Statement[Row] = statement(
    "message.append[advance]",
    "Locks a session and counts messages in it, before the statement that inserts them.",
    _advanced().returning(s.last_sequence.label("advanced_sequence"), s.head.label("advanced_revision")),
)
_advanced_revision = bindparam("advanced_revision", type_=BigInteger)
NEW_NUMBERS: dict[str, Any] = {
    "owner_id": OWNER,
    "session_id": bindparam("session_id", type_=Uuid),
    "sequence": bindparam("advanced_sequence", type_=Integer),
    "created_revision": _advanced_revision,
    "revision": _advanced_revision,
}
"""The numbers of a message after `ADVANCE`."""
_drafted = {name: bindparam(name, type_=type_) for name, type_ in DRAFT_TYPES.items()}
INSERT = statement(
    "message.append[insert]",
    "Inserts a message at the end of a session that is advanced.",
    insert(messages).values(**NEW_NUMBERS, tsv=search_vector(WORDS), **_drafted).returning(*MESSAGE_COLUMNS),
    MessageRow,
)
APPEND.routed = (Step(ADVANCE), Step(INSERT))


class IdempotentAppendRow(MessageRow):
    """The appended message, or the stored result of the idempotency key; both NULL if the session refused."""

    request_hash: bytes | None
    result: str | None


IDEMPOTENCY_KEY = bindparam("idempotency_key", type_=Text)
HASH = bindparam("request_hash", type_=LargeBinary)
_stored = select(k.request_hash, k.result).where(k.owner_id == OWNER, k.key == IDEMPOTENCY_KEY).cte("stored")
_head = advance_session(not_(select(1).select_from(_stored).exists()))
_appended = _inserted(_head).returning(*MESSAGE_COLUMNS).cte("appended")
_result = func.json_build_object(
    *("kind", "append", "session", _head.c.id, "sequence", _head.c.last_sequence, "revision", _head.c.head),
    type_=JSON,
)
# A plain INSERT: if a concurrent duplicate commits first, this must raise, and roll our message back.
_key = (
    insert(idempotency_keys)
    .from_select(
        ["owner_id", "key", "request_hash", "result"],
        select(_head.c.owner_id, IDEMPOTENCY_KEY, HASH, _result),
        include_defaults=False,
    )
    .cte("key")
)
_one_row = select(literal(1, Integer).label("one")).subquery("one_row")
APPEND_IDEMPOTENT = statement(
    "message.append_idempotent",
    "Appends one message to a session and stores its idempotency key, or returns the stored result of the key.",
    select(_stored.c.request_hash, _stored.c.result, *_appended.c)
    .select_from(_one_row.outerjoin(_stored, true()).outerjoin(_appended, true()))
    .add_cte(_key),
    IdempotentAppendRow,
)

drafts_table = parent_table(**DRAFT_TYPES, words=Text)


def _inserted_many(owner: Any, session_id: Any, sequence: Any, revision: Any, *froms: CTE) -> Insert:
    """The messages of `drafts_table`; the last one has these numbers."""
    before = drafts_table.c["index"] - COUNT
    numbers = (owner, session_id, sequence + before, revision + before, revision + before)
    words, draft = search_vector(drafts_table.c.words), (drafts_table.c[name] for name in DRAFT_TYPES)
    rows = select(*numbers, words, *draft)
    for item in froms:
        rows = rows.select_from(item.join(drafts_table, true()))
    return insert(messages).from_select([*NUMBER_COLUMNS, "tsv", *DRAFT_TYPES], rows, include_defaults=False)


_many = advance_session()
APPEND_MANY = statement(
    "message.append_many",
    "Appends messages to a session.",
    _inserted_many(_many.c.owner_id, _many.c.id, _many.c.last_sequence, _many.c.head, _many).returning(
        *MESSAGE_COLUMNS
    ),
    MessageRow,
)
APPEND_MANY.routed = (
    Step(ADVANCE),
    Step(
        statement(
            "message.append_many[insert]",
            "Inserts messages at the end of a session that is advanced.",
            _inserted_many(OWNER, NEW_NUMBERS["session_id"], NEW_NUMBERS["sequence"], _advanced_revision).returning(
                *MESSAGE_COLUMNS
            ),
            MessageRow,
        )
    ),
)


async def append(
    db: Database,
    viewer: Viewer,
    session_id: str,
    draft: Mapping[str, Any],
    expected: int | None,
    indexing: Mapping[str, Any],
) -> MessageRow | None:
    """One message at the end of the session; None if the session does not accept it as it is.

    `draft` has the columns of `DRAFT_TYPES`, `expected` is the last sequence (None: any), `indexing` are the search
    parameters of the settings.
    """
    values = {**draft, **vector_parameters(draft["text"], indexing), **session_effects([draft])}
    async with db.session_queue(viewer, session_id):
        rows = await db.fetch(viewer, APPEND, session_id=session_id, expected=expected, **values)
    if not rows:
        return None
    db.record_change(viewer, session_id, rows[0].revision)
    return rows[0]


async def append_idempotent(
    db: Database,
    viewer: Viewer,
    session_id: str,
    draft: Mapping[str, Any],
    expected: int | None,
    indexing: Mapping[str, Any],
    idempotency_key: tuple[str, bytes],
) -> IdempotentAppendRow:
    """As `append`, with an idempotency key and the hash of the request; waits for a concurrent duplicate in flight."""
    key, request_hash = idempotency_key
    values = {**draft, **vector_parameters(draft["text"], indexing), **session_effects([draft])}
    values |= {"idempotency_key": key, "request_hash": request_hash}
    async with db.session_queue(viewer, session_id):
        try:
            rows = await db.fetch(viewer, APPEND_IDEMPOTENT, session_id=session_id, expected=expected, **values)
        except Exception as error:
            if not failures.violates(error, "idempotency_keys_pkey"):
                raise
            rows = await db.fetch(viewer, APPEND_IDEMPOTENT, session_id=session_id, expected=expected, **values)
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
    """Messages at the end of the session, in the order of the drafts; none if the session does not accept them."""
    if len(drafts) == 1:
        values = {**drafts[0], **vector_parameters(drafts[0]["text"], indexing), **session_effects(drafts)}
        return await tx.fetch(APPEND, session_id=session_id, expected=expected, **values)
    rows = [(*(draft[name] for name in DRAFT_TYPES), words_of(draft["text"], indexing)) for draft in drafts]
    arrays = parent_arrays((*DRAFT_TYPES, "words"), rows)
    values = {**arrays, "config": indexing["config"], **session_effects(drafts)}
    appended = await tx.fetch(APPEND_MANY, session_id=session_id, expected=expected, **values)
    return sorted(appended, key=lambda row: row.sequence)


def session_effects(drafts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The parameters of `advance_session`: how many messages, how many of them unread, and a title to take."""
    unread, title = 0, ""
    for draft in drafts:
        if draft["role"] != "USER":
            unread += 1
        elif not title:
            title = title_of(draft["text"])
    return {"count": len(drafts), "unread": unread, "title": title}
