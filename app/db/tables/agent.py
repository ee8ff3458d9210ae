"""Agents: the catalogue of an owner."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.tables.columns import BytewiseText, Timestamp, Uuid, json_column, metadata, owner_column, timestamp_column

agents = Table(
    "agents",
    metadata,
    owner_column(),
    Column("id", Uuid, nullable=False),
    Column("key", BytewiseText, doc="Chosen by the client, unique per owner."),
    Column("name", BytewiseText, nullable=False),
    Column("description", Text),
    Column("type", BytewiseText, nullable=False),
    Column("status", Text, nullable=False, server_default="AVAILABLE"),
    Column("skills", ARRAY(Text), nullable=False, server_default="{}"),
    Column("hourly_rate", Numeric),
    json_column("metadata"),
    Column("revision", BigInteger, nullable=False, server_default="1"),
    timestamp_column("created_at"),
    timestamp_column("updated_at"),
    Column("deleted_at", Timestamp, doc="When the agent was deleted; the row stays as an empty tombstone."),
    PrimaryKeyConstraint("owner_id", "id"),
    CheckConstraint("status IN ('AVAILABLE', 'BUSY', 'OFFLINE', 'RETIRED')", name="status"),
    CheckConstraint("hourly_rate >= 0", name="hourly_rate"),
)
Index("agents_key", agents.c.owner_id, agents.c.key, unique=True, postgresql_where=agents.c.key.is_not(None))
# The catalogue in its order, without tombstones: its pages, and its number from the index alone.
Index(
    "agents_name",
    agents.c.owner_id,
    agents.c.name,
    agents.c.id,
    postgresql_where=agents.c.deleted_at.is_(None),
)
