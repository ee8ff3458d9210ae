"""The agents of a session: each one's state, and the framework's document about the agent."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from app.db.tables.columns import BytewiseText, Timestamp, Uuid, json_column, metadata, owner_column, timestamp_column

session_agents = Table(
    "session_agents",
    metadata,
    owner_column(),
    Column("session_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", BytewiseText, nullable=False),
    Column("agent_id", Uuid, doc="The agent in the catalogue."),
    json_column("state"),
    json_column("conversation_manager_state"),
    json_column("internal_state"),
    Column("raw", Text, doc="The framework's document, unchanged to the character."),
    Column("created_revision", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("client_created_at", Timestamp),
    timestamp_column("created_at"),
    timestamp_column("updated_at"),
    PrimaryKeyConstraint("owner_id", "session_id", "kind", "key"),
    ForeignKeyConstraint(["owner_id", "session_id"], ["sessions.owner_id", "sessions.id"]),
    ForeignKeyConstraint(["owner_id", "agent_id"], ["agents.owner_id", "agents.id"]),
    CheckConstraint("kind IN ('AGENT', 'MULTI_AGENT')", name="kind"),
)
Index(
    "session_agents_changes",
    session_agents.c.owner_id,
    session_agents.c.session_id,
    session_agents.c.revision,
    unique=True,
    postgresql_where=session_agents.c.revision.is_not(None),  # as in messages_changes
)
Index(
    "session_agents_agent",
    session_agents.c.owner_id,
    session_agents.c.agent_id,
    session_agents.c.session_id,
    postgresql_where=session_agents.c.agent_id.is_not(None),
)
