"""Idempotency keys: what a mutation answered first, in ids and codes, kept with its effect."""

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import JSON

from app.db.tables.columns import Ordered, metadata, moment, owner

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    owner(),
    Column("key", Ordered, nullable=False),
    Column("request_hash", LargeBinary, nullable=False, doc="SHA-256 of the field and its arguments."),
    Column("result", JSON, doc="The payload, its entities as node ids; null only inside its own transaction."),
    moment("created_at"),
    PrimaryKeyConstraint("owner_id", "key"),
)
# The sweeper looks for old keys of all owners.
Index("idempotency_keys_created", idempotency_keys.c.created_at)
