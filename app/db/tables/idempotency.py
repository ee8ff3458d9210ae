"""Idempotency keys: the first result of a mutation, as ids and codes, committed with its effect."""

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import JSON

from app.db.tables.columns import BytewiseText, metadata, owner_column, timestamp_column

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    owner_column(),
    Column("key", BytewiseText, nullable=False),
    Column("request_hash", LargeBinary, nullable=False, doc="SHA-256 of the mutation field and its arguments."),
    Column(
        "result",
        JSON,
        doc="The result, with a `kind`; entities as ids. NULL only inside the transaction that claims the key.",
    ),
    timestamp_column("created_at"),
    PrimaryKeyConstraint("owner_id", "key"),
)
# For the sweeper, which reads the old keys of all owners.
Index("idempotency_keys_created", idempotency_keys.c.created_at)
