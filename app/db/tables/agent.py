"""Agents: the owner's catalogue, and each agent's part in a session."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.tables.columns import Moment, Ordered, Uuid, document, metadata, moment, owner

agents = Table(
    "agents",
    metadata,
    owner(),
    Column("id", Uuid, nullable=False),
    Column("key", Ordered, doc="The client's own name, unique per owner."),
    Column("name", Ordered, nullable=False),
    Column("description", Text),
    Column("type", Ordered, nullable=False),
    Column("status", Text, nullable=False, server_default="AVAILABLE"),
    Column("skills", ARRAY(Text), nullable=False, server_default="{}"),
    Column("hourly_rate", Numeric),
    document("metadata"),
    Column("revision", BigInteger, nullable=False, server_default="1"),
    moment("created_at"),
    moment("updated_at"),
    Column("deleted_at", Moment, doc="Set on the emptied tombstone that a deletion leaves."),
    PrimaryKeyConstraint("owner_id", "id"),
    CheckConstraint("status IN ('AVAILABLE', 'BUSY', 'OFFLINE', 'RETIRED')", name="status"),
    CheckConstraint("hourly_rate >= 0", name="hourly_rate"),
)
Index("agents_key", agents.c.owner_id, agents.c.key, unique=True, postgresql_where=agents.c.key.is_not(None))
Index("agents_name", agents.c.owner_id, agents.c.name, agents.c.id)

session_agents = Table(
    "session_agents",
    metadata,
    owner(),
    Column("session_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Ordered, nullable=False),
    Column("agent_id", Uuid, doc="The catalogue entry."),
    document("state"),
    document("conversation_manager_state"),
    document("internal_state"),
    Column("raw", Text, doc="The framework's whole document, character for character."),
    Column("created_revision", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("client_created_at", Moment),
    moment("created_at"),
    moment("updated_at"),
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
)
Index(
    "session_agents_agent",
    session_agents.c.owner_id,
    session_agents.c.agent_id,
    session_agents.c.session_id,
    postgresql_where=session_agents.c.agent_id.is_not(None),
)
