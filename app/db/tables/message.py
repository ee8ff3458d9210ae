"""Messages: a message is (session, sequence); a deleted one stays as an emptied tombstone."""

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
    func,
)
from sqlalchemy.dialects.postgresql import JSON, TSVECTOR

from app.db.tables.columns import Moment, Ordered, Uuid, document, metadata, moment, owner

messages = Table(
    "messages",
    metadata,
    owner(),
    Column("session_id", Uuid, nullable=False),
    Column("sequence", Integer, nullable=False, doc="1, 2, 3, ... in the session, given under its lock."),
    Column("key", Ordered, doc="The client's own name, unique per session and agent."),
    # The foreign key needs the kind; messages are always an AGENT's.
    Column("agent_kind", Text, Computed("'AGENT'", persisted=True)),
    Column("agent_key", Ordered),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="COMPLETE"),
    Column("fence", Text, doc="The producer that finished it, if it was streamed: whose retry gets the same answer."),
    Column("text", Text, nullable=False, server_default="", doc="What a person reads; while STREAMING in its chunks."),
    Column("raw", Text, doc="The producer's document, character for character; null when only text was sent."),
    Column("content", JSON, doc="Its blocks; null when they are no more than the text."),
    Column("tsv", TSVECTOR, doc="The words of the text, and '@' with the owner; null in a tombstone or a stream."),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("total_tokens", Integer),
    document("metadata"),
    Column("created_revision", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("client_created_at", Moment),
    moment("created_at"),
    moment("updated_at"),
    Column("redacted_at", Moment),
    Column("deleted_at", Moment),
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
    func.coalesce(m.agent_key, ""),
    m.key,
    unique=True,
    postgresql_where=m.key.is_not(None),
)
Index("messages_changes", m.owner_id, m.session_id, m.revision, unique=True)
# A short pending list: the append that has to empty it waits for a moment only.
Index("messages_search", m.tsv, postgresql_using="gin", postgresql_with={"gin_pending_list_limit": "512"})
