"""Statements on messages; `append` has those that add them."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, REGCONFIG, array

from app.db.access.database import OWNER, Row, Statement, Tx, statement
from app.db.reading.page import Nested, Order, number, parent_arrays, parent_table
from app.db.reading.partial_rows import MESSAGE
from app.db.reading.rows import DocumentRow, MessageRow
from app.db.tables import messages, sessions
from app.db.tables.columns import Uuid

s, m = sessions.c, messages.c
TITLE_LENGTH = 60
# What a reader gets. Documents may be a thousand times as long as their text: they are read when asked for.
UNSEEN = {"raw", "content", "tsv", "agent_kind", "fence"}
SEEN = (*(column for column in m if column.name not in UNSEEN), m.raw.is_not(None).label("documented"))

THIS = and_(
    m.owner_id == OWNER,
    m.session_id == bindparam("session_id"),
    m.sequence == bindparam("sequence", type_=Integer),
    m.deleted_at.is_(None),
)

CONFIG = cast(bindparam("config", type_=Text), REGCONFIG)
BEGINNING = bindparam("searchable", type_=Integer)


def words(text: ColumnElement[str]) -> ColumnElement[Any]:
    """What search finds of a text: the words of its beginning, and the owner's mark, which narrows the index."""
    mark = func.array_to_tsvector(array([literal("@", Text).concat(OWNER)]))
    return func.to_tsvector(CONFIG, func.left(text, BEGINNING)).op("||")(mark)


SEQUENCE = Order("m", (number(m.sequence),))
WANTED = and_(
    m.deleted_at.is_(None),
    or_(bindparam("role", type_=ARRAY(Text)).is_(None), m.role == any_(bindparam("role", type_=ARRAY(Text)))),
    or_(
        bindparam("status", type_=ARRAY(Text)).is_(None),
        m.status == any_(bindparam("status", type_=ARRAY(Text))),
    ),
    or_(bindparam("agent_key", type_=Text).is_(None), m.agent_key == bindparam("agent_key", type_=Text)),
)


session = parent_table(session_id=Uuid)
OF_SESSIONS = Nested(
    select(*SEEN).where(m.owner_id == OWNER, m.session_id == session.c.session_id, WANTED),
    MessageRow,
    SEQUENCE,
    session,
    MESSAGE,
)
part = parent_table(session_id=Uuid, key=Text())
OF_AGENTS = Nested(
    select(*SEEN).where(
        m.owner_id == OWNER,
        m.session_id == part.c.session_id,
        m.agent_key == part.c.key,
        m.deleted_at.is_(None),
    ),
    MessageRow,
    SEQUENCE,
    part,
    MESSAGE,
)

IN_SESSION = statement(
    select(*SEEN).where(
        m.owner_id == OWNER,
        m.session_id == bindparam("session_id"),
        m.sequence == any_(bindparam("sequences", type_=ARRAY(Integer))),
    ),
    MessageRow,
)
places = parent_table(session_id=Uuid, sequence=Integer())
BY_PLACES = statement(
    select(*SEEN, places.c.place.label("parent"))
    .select_from(places.join(messages, and_(m.session_id == places.c.session_id, m.sequence == places.c.sequence)))
    .where(m.owner_id == OWNER, m.deleted_at.is_(None)),
    MessageRow,
    MESSAGE,
)
DOCUMENTS = statement(
    select(*SEEN, m.raw, m.content, places.c.place.label("parent"))
    .select_from(places.join(messages, and_(m.session_id == places.c.session_id, m.sequence == places.c.sequence)))
    .where(m.owner_id == OWNER, m.deleted_at.is_(None)),
    DocumentRow,
)
ONE = statement(select(*SEEN, m.raw, m.content).where(THIS), DocumentRow)
keys = parent_table(session_id=Uuid, agent_key=Text(), key=Text())
keyed = keys.join(
    messages,
    and_(
        m.session_id == keys.c.session_id,
        func.coalesce(m.agent_key, "") == func.coalesce(keys.c.agent_key, ""),
        m.key == keys.c.key,
    ),
)
BY_KEYS = statement(
    select(*SEEN, keys.c.place.label("parent")).select_from(keyed).where(m.owner_id == OWNER, m.deleted_at.is_(None)),
    MessageRow,
)
DOCUMENTS_BY_KEYS = statement(
    select(*SEEN, m.raw, m.content).select_from(keyed).where(m.owner_id == OWNER, m.deleted_at.is_(None)),
    DocumentRow,
)
above = parent_table(session_id=Uuid)
newest = (
    select(*SEEN)
    .where(m.owner_id == OWNER, m.session_id == above.c.session_id, m.deleted_at.is_(None))
    .order_by(m.sequence.desc())
    .limit(1)
    .correlate(above)
    .lateral("newest")
)
LAST = statement(
    select(newest, above.c.place.label("parent")).select_from(above.join(newest, true())), MessageRow, MESSAGE
)


@cache
def _update(fields: frozenset[str], redacted: bool) -> Statement[MessageRow]:
    """Sets these columns under the number that the locked session gave."""
    values: dict[str, Any] = {field: bindparam(f"new_{field}", type_=m[field].type) for field in fields}
    if "text" in fields:
        values["tsv"] = words(values["text"])
    if redacted:
        values["redacted_at"] = func.now()
    number = bindparam("next_revision", type_=BigInteger)
    return statement(
        update(messages).where(THIS).values(revision=number, updated_at=func.now(), **values).returning(*SEEN),
        MessageRow,
    )


async def change(
    tx: Tx,
    place: tuple[str, int],
    fields: Mapping[str, Any],
    revision: int,
    indexing: Mapping[str, Any],
    *,
    redacted: bool = False,
) -> MessageRow | None:
    """The message of the locked session with `fields` set under its number `revision`; None if there is none."""
    values = {f"new_{field}": value for field, value in fields.items()}
    named = {**values, **(indexing if "text" in fields else {})}
    wanted = _update(frozenset(fields), redacted)
    return await tx.one(wanted, session_id=place[0], sequence=place[1], next_revision=revision, **named)


DELETE = statement(
    update(messages)
    .where(THIS)
    .values(
        revision=bindparam("next_revision", type_=BigInteger),
        updated_at=func.now(),
        deleted_at=func.now(),
        status=case((m.status == "STREAMING", "CANCELLED"), else_=m.status),
        **dict.fromkeys(("key", "agent_key", "fence", "client_created_at", "raw", "content", "tsv")),
        **dict.fromkeys(("input_tokens", "output_tokens", "total_tokens")),
        text="",
        metadata="{}",
    )
    .returning(*SEEN),
    MessageRow,
)
FORGET: Statement[Row] = statement(
    update(sessions)
    .where(s.owner_id == OWNER, s.id == bindparam("session_id"))
    .values(message_count=s.message_count - 1, unread_count=s.unread_count - bindparam("unread", type_=Integer))
)


def title_of(text: str) -> str:
    """The title that a session without one takes from its first USER message."""
    return text.strip()[:TITLE_LENGTH]


async def by_keys(
    tx: Tx, session_id: str, drafts: Sequence[Mapping[str, Any]]
) -> dict[tuple[str | None, str], DocumentRow]:
    """The messages stored under the drafts' agents and keys, with their documents."""
    wanted = [(session_id, draft["agent_key"], draft["key"]) for draft in drafts]
    rows = await tx.fetch(DOCUMENTS_BY_KEYS, **parent_arrays(("session_id", "agent_key", "key"), wanted))
    return {(row.agent_key, row.key or ""): row for row in rows}
