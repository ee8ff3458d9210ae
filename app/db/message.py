"""Statements on messages; `append` has those that add messages."""

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
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, REGCONFIG, array

from app.db.access.statement import OWNER, Row, Statement, statement, variant
from app.db.access.transaction import Tx
from app.db.reading.joined import writer_of
from app.db.reading.nested import Nested, parent_arrays, parent_table
from app.db.reading.order import Order, integer_key
from app.db.reading.partial_rows import MESSAGE
from app.db.reading.rows import DocumentRow, LastMessageRow, MessageKey, MessageRow
from app.db.tables import messages, session_agents, sessions
from app.db.tables.columns import Uuid, as_client_text
from app.documents.search_words import searchable

s, m, g = sessions.c, messages.c, session_agents.c
# A document may be a thousand times as long as its text: only the statements of DocumentRow read `raw` and `content`.
UNSELECTED = {"raw", "content", "tsv", "agent_kind", "fence"}
MESSAGE_COLUMNS = (*(column for column in m if column.name not in UNSELECTED), m.raw.is_not(None).label("documented"))
DOCUMENT_COLUMNS = (*MESSAGE_COLUMNS, m.raw, m.content)

HAS_KEY = and_(
    m.owner_id == OWNER,
    m.session_id == bindparam("session_id"),
    m.sequence == bindparam("sequence", type_=Integer),
    m.deleted_at.is_(None),
)
NOT_DELETED = and_(m.owner_id == OWNER, m.deleted_at.is_(None))

SEARCH_CONFIG = cast(bindparam("config", type_=Text), REGCONFIG)
WORDS = bindparam("words", type_=Text)


def search_vector(words: ColumnElement[str]) -> ColumnElement[Any]:
    """The lexemes of the words of a text, and `@owner` as one more: it narrows the index to the owner's part."""
    owner = func.array_to_tsvector(array([literal("@", Text).concat(OWNER)]))
    return func.to_tsvector(SEARCH_CONFIG, words).op("||")(owner)


def words_of(text: str, indexing: Mapping[str, Any]) -> str:
    """The words of the beginning of a text, for the index."""
    return searchable(text[: indexing["searchable"]])


def vector_parameters(text: str, indexing: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `search_vector(WORDS)`."""
    return {"config": indexing["config"], "words": words_of(text, indexing)}


SEQUENCE = Order("sequence", "m", (integer_key(m.sequence),))
ROLE, STATUS = bindparam("role", type_=ARRAY(Text)), bindparam("status", type_=ARRAY(Text))
FILTER = and_(
    m.deleted_at.is_(None), or_(ROLE.is_(None), m.role == any_(ROLE)), or_(STATUS.is_(None), m.status == any_(STATUS))
)
session = parent_table(session_id=Uuid)
_stored = (
    select(s.message_count)
    .where(s.owner_id == OWNER, s.id == session.c.session_id)
    .limit(1)
    .correlate(session)
    .lateral("stored")
)
_in_session = select(*MESSAGE_COLUMNS).where(m.owner_id == OWNER, m.session_id == session.c.session_id, FILTER)
OF_SESSIONS = Nested(
    "message.of_sessions",
    "The messages of sessions that match a filter, by sequence.",
    _in_session,
    MessageRow,
    SEQUENCE,
    session,
    MESSAGE,
    select(
        func.coalesce(_stored.c.message_count, literal(0, Integer)).label("total"), session.c["index"].label("parent")
    ).select_from(session.outerjoin(_stored, true())),
)
# The first condition is that of an index: few messages are not COMPLETE.
UNFINISHED_OF_SESSIONS = Nested(
    "message.unfinished_of_sessions",
    "The messages of sessions that are not COMPLETE and match a filter, by sequence.",
    select(*MESSAGE_COLUMNS).where(
        m.status != literal_column("'COMPLETE'", Text),
        m.owner_id == OWNER,
        m.session_id == session.c.session_id,
        FILTER,
    ),
    MessageRow,
    SEQUENCE,
    session,
    MESSAGE,
)
RARE_ROLES = ("SYSTEM", "TOOL")
"""The roles that a session may lack, and that an index has."""
_rare_roles = [literal_column(f"'{role}'", Text) for role in RARE_ROLES]
OF_RARE_ROLES = Nested(
    "message.of_rare_roles",
    "The messages of sessions with rare roles that match a filter, by sequence.",
    _in_session,
    MessageRow,
    SEQUENCE,
    session,
    MESSAGE,
    # The plan for a filter omits the roles that it does not name.
    parts=[and_(m.role == role, role == any_(ROLE)) for role in _rare_roles],
    counted=_in_session.where(or_(*(m.role == role for role in _rare_roles))),
)


def of_sessions(role: Sequence[str] | None, status: Sequence[str] | None) -> Nested[MessageRow]:
    """The messages of sessions, from the index that suits this filter."""
    if status is not None and "COMPLETE" not in status:
        return UNFINISHED_OF_SESSIONS
    return OF_RARE_ROLES if role is not None and set(role) <= set(RARE_ROLES) else OF_SESSIONS


session_agent = parent_table(session_id=Uuid, key=Text())
OF_SESSION_AGENTS = Nested(
    "message.of_session_agents",
    "The messages of agents in sessions that match a filter, by sequence.",
    select(*MESSAGE_COLUMNS).where(
        m.owner_id == OWNER,
        m.session_id == session_agent.c.session_id,
        m.agent_key == session_agent.c.key,
        FILTER,
    ),
    MessageRow,
    SEQUENCE,
    session_agent,
    MESSAGE,
)

message_keys = parent_table(session_id=Uuid, sequence=Integer())
by_message_key = message_keys.join(
    messages, and_(m.session_id == message_keys.c.session_id, m.sequence == message_keys.c.sequence)
)
# Arrays of keys: with the session as a parameter, or `= any(:sequences)`, a generic plan reads the whole session.
IN_SESSION = statement(
    "message.in_session",
    "The messages with these sessions and sequences, deleted ones too.",
    select(*MESSAGE_COLUMNS).select_from(by_message_key).where(m.owner_id == OWNER),
    MessageRow,
)
BY_MESSAGE_KEYS = statement(
    "message.by_message_keys",
    "The messages with these sessions and sequences.",
    select(*MESSAGE_COLUMNS, message_keys.c["index"].label("parent")).select_from(by_message_key).where(NOT_DELETED),
    MessageRow,
    MESSAGE,
)
DOCUMENTS = statement(
    "message.documents",
    "The messages with these sessions and sequences, with document and blocks.",
    select(*DOCUMENT_COLUMNS, message_keys.c["index"].label("parent")).select_from(by_message_key).where(NOT_DELETED),
    DocumentRow,
)
ONE = statement(
    "message.one", "One message with document and blocks.", select(*DOCUMENT_COLUMNS).where(HAS_KEY), DocumentRow
)
NO_AGENT = literal_column("''", Text)
"""As in the index `messages_key`: a bound parameter would not match the index's expression."""
client_keys = parent_table(session_id=Uuid, agent_key=Text(), key=Text())
by_client_key = client_keys.join(
    messages,
    and_(
        m.session_id == client_keys.c.session_id,
        func.coalesce(m.agent_key, NO_AGENT) == func.coalesce(client_keys.c.agent_key, NO_AGENT),
        m.key == client_keys.c.key,
    ),
)
BY_CLIENT_KEYS = statement(
    "message.by_client_keys",
    "The messages with these sessions, agents and client keys.",
    select(*MESSAGE_COLUMNS, client_keys.c["index"].label("parent")).select_from(by_client_key).where(NOT_DELETED),
    MessageRow,
)
DOCUMENTS_BY_CLIENT_KEYS = statement(
    "message.documents_by_client_keys",
    "The messages with these sessions, agents and client keys, with document and blocks.",
    select(*DOCUMENT_COLUMNS).select_from(by_client_key).where(NOT_DELETED),
    DocumentRow,
)
parent_session = parent_table(session_id=Uuid)
newest = (
    select(*MESSAGE_COLUMNS)
    .where(m.owner_id == OWNER, m.session_id == parent_session.c.session_id, m.deleted_at.is_(None))
    .order_by(m.sequence.desc())
    .limit(1)
    .correlate(parent_session)
    .lateral("newest")
)
LAST_OF_SESSIONS = statement(
    "message.last_of_sessions",
    "The newest message of each session.",
    select(newest, parent_session.c["index"].label("parent")).select_from(parent_session.join(newest, true())),
    MessageRow,
    MESSAGE,
)
writer = writer_of(newest.c.session_id, newest.c.agent_key, newest)
LAST_WITH_AGENTS = statement(
    variant("message.last_of_sessions", "with_agents"),
    "The newest message of each session, with the catalogue's agent of the session agent that wrote it.",
    select(
        *writer.c,
        *(as_client_text(column) for column in newest.c if column.key in MESSAGE),
        parent_session.c["index"].label("parent"),
    ).select_from(parent_session.join(newest, true()).outerjoin(writer, true())),
    LastMessageRow,
)


@cache
def _update(fields: frozenset[str], redacted: bool) -> Statement[MessageRow]:
    values: dict[str, Any] = {field: bindparam(f"new_{field}", type_=m[field].type) for field in fields}
    if "text" in fields:
        values["tsv"] = search_vector(WORDS)
    if redacted:
        values["redacted_at"] = func.now()
    revision = bindparam("next_revision", type_=BigInteger)
    return statement(
        variant("message.redact" if redacted else "message.update", *sorted(fields)),
        "Sets these columns of a message.",
        update(messages)
        .where(HAS_KEY)
        .values(revision=revision, updated_at=func.now(), **values)
        .returning(*MESSAGE_COLUMNS),
        MessageRow,
    )


async def change(
    tx: Tx,
    key: MessageKey,
    fields: Mapping[str, Any],
    revision: int,
    indexing: Mapping[str, Any],
    *,
    redacted: bool = False,
) -> MessageRow | None:
    """The message of the locked session with `fields` set, and the session's change number `revision`.

    None if it does not exist. `indexing` are the search parameters of the settings.
    """
    parameters = {f"new_{field}": value for field, value in fields.items()}
    if "text" in fields:
        parameters |= vector_parameters(fields["text"], indexing)
    session_id, sequence = key
    return await tx.one(
        _update(frozenset(fields), redacted),
        session_id=session_id,
        sequence=sequence,
        next_revision=revision,
        **parameters,
    )


DELETE = statement(
    "message.delete",
    "Empties a message; its tombstone stays.",
    update(messages)
    .where(HAS_KEY)
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
    .returning(*MESSAGE_COLUMNS),
    MessageRow,
)
DECREMENT_COUNTS: Statement[Row] = statement(
    "message.decrement_counts",
    "Subtracts a deleted message from the counts of its session.",
    update(sessions)
    .where(s.owner_id == OWNER, s.id == bindparam("session_id"))
    .values(message_count=s.message_count - 1, unread_count=s.unread_count - bindparam("unread", type_=Integer)),
)


async def by_client_keys(
    tx: Tx, session_id: str, drafts: Sequence[Mapping[str, Any]]
) -> dict[tuple[str | None, str], DocumentRow]:
    """The stored messages with the agents and client keys of the drafts, by (agent key, client key)."""
    keys = [(session_id, draft["agent_key"], draft["key"]) for draft in drafts]
    rows = await tx.fetch(DOCUMENTS_BY_CLIENT_KEYS, **parent_arrays(("session_id", "agent_key", "key"), keys))
    return {(row.agent_key, row.key or ""): row for row in rows}
