"""Messages, identified by (session, sequence); a deleted message stays as an empty tombstone."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
    func,
)
from sqlalchemy.dialects.postgresql import JSON, TSVECTOR

from app.db.tables.columns import BytewiseText, Timestamp, Uuid, json_column, metadata, owner_column, timestamp_column

messages = Table(
    "messages",
    metadata,
    owner_column(),
    Column("session_id", Uuid, nullable=False),
    Column("sequence", Integer, nullable=False, doc="1, 2, 3, ... in the session, assigned under the session's lock."),
    Column("key", BytewiseText, doc="Chosen by the client, unique per session and agent."),
    # The foreign key to session_agents needs the kind; the agent of a message is always an AGENT.
    Column("agent_kind", Text, Computed("'AGENT'", persisted=True)),
    Column("agent_key", BytewiseText),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="COMPLETE"),
    Column(
        "fence",
        Text,
        doc="The fence of the producer that finished a streamed message; a retry with it gets the same result.",
    ),
    Column(
        "text",
        Text,
        nullable=False,
        server_default="",
        doc="The readable text; empty while STREAMING, when the text is in message_chunks.",
    ),
    Column("raw", Text, doc="The producer's document, unchanged to the character; NULL when only text was sent."),
    Column("content", JSON, doc="The content blocks; NULL when the text is the only block."),
    Column(
        "tsv",
        TSVECTOR,
        doc="Search index of the text, with `@` and the owner as one lexeme; NULL in a tombstone or while STREAMING.",
    ),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("total_tokens", Integer),
    json_column("metadata"),
    Column("created_revision", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("client_created_at", Timestamp),
    timestamp_column("created_at"),
    timestamp_column("updated_at"),
    Column("redacted_at", Timestamp),
    Column("deleted_at", Timestamp),
    PrimaryKeyConstraint("owner_id", "session_id", "sequence"),
    ForeignKeyConstraint(
        ["owner_id", "session_id", "agent_kind", "agent_key"],
        ["session_agents.owner_id", "session_agents.session_id", "session_agents.kind", "session_agents.key"],
        name="messages_agent_fkey",
    ),
    CheckConstraint("role IN ('USER', 'ASSISTANT', 'SYSTEM', 'TOOL')", name="role"),
    CheckConstraint("status IN ('STREAMING', 'COMPLETE', 'CANCELLED', 'FAILED')", name="status"),
    CheckConstraint("created_revision <= revision", name="revision"),
    CheckConstraint("num_nulls(input_tokens, output_tokens, total_tokens) IN (0, 3)", name="usage"),
    CheckConstraint("least(input_tokens, output_tokens, total_tokens) >= 0", name="tokens"),
)
m = messages.c
Index(
    "messages_key",
    m.owner_id,
    m.session_id,
    m.key,
    func.coalesce(m.agent_key, ""),
    unique=True,
    postgresql_where=m.key.is_not(None),
)
# The condition is always true, and only the statement that reads changes implies it. Without it the planner, misled by
# its estimates, chooses this index to find a message by its sequence, and reads the whole session.
Index(
    "messages_changes",
    m.owner_id,
    m.session_id,
    m.revision,
    unique=True,
    postgresql_where=m.revision.is_not(None),
)
# Of one agent, which may have few of the session's messages. Every message of an agent adds an entry. The deletion of
# an agent's part in the session reads this index too, for the foreign key.
Index(
    "messages_agent",
    m.owner_id,
    m.session_id,
    m.agent_key,
    m.sequence,
    postgresql_where=m.agent_key.is_not(None),
)
# Of the roles that a session may lack. USER and ASSISTANT are in every session: a page of theirs is soon full.
Index(
    "messages_by_role",
    m.owner_id,
    m.session_id,
    m.role,
    m.sequence,
    postgresql_where=and_(m.role.in_(("SYSTEM", "TOOL")), m.deleted_at.is_(None)),
)
# Few messages are in this index.
Index(
    "messages_unfinished",
    m.owner_id,
    m.session_id,
    m.sequence,
    postgresql_where=and_(m.status != "COMPLETE", m.deleted_at.is_(None)),
)
# The sweeper searches the old tombstones of all owners.
Index("messages_deleted", m.deleted_at, postgresql_where=m.deleted_at.is_not(None))
# A short pending list: the append that must flush the list waits only for a moment.
Index("messages_search", m.tsv, postgresql_using="gin", postgresql_with={"gin_pending_list_limit": "512"})
