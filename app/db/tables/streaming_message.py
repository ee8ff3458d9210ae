"""Streaming messages: the state of each message being written, and its text or parts so far in chunks.

The end folds the chunks into the message's row. A narrow row and small chunks, because PostgreSQL would rewrite a
growing text in the message's row with every extension.
"""

from sqlalchemy import CheckConstraint, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, func

from app.db.tables.columns import Timestamp, Uuid, metadata, owner_column, timestamp_column

streams = Table(
    "streams",
    metadata,
    owner_column(),
    Column("session_id", Uuid, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("fence", Text, nullable=False, doc="Identifies the only producer whose pieces are accepted."),
    Column("length", Integer, nullable=False, server_default="0", doc="How much came so far, in code points or parts."),
    timestamp_column("updated_at"),
    Column(
        "active_at",
        Timestamp,
        nullable=False,
        server_default=func.now(),
        doc="As updated_at, but it stays the same for some time: it is indexed.",
    ),
    Column("parts_format", Text, doc="The format of the parts; null for a stream of text."),
    Column("size", Integer, nullable=False, server_default="0", doc="The bytes of the parts so far; 0 for text."),
    PrimaryKeyConstraint("owner_id", "session_id", "sequence"),
    CheckConstraint("length >= 0", name="length"),
    CheckConstraint("parts_format IN ('AI_SDK', 'AG_UI', 'OTHER')", name="parts_format"),
    # Every chunk updates the row: free space in the page and no index on a column that changes keep the update HOT.
    postgresql_with={"fillfactor": "50"},
)
# For the sweeper, which searches the silent streams of all owners.
Index("streams_active", streams.c.active_at, streams.c.owner_id, streams.c.session_id)
message_chunks = Table(
    "message_chunks",
    metadata,
    owner_column(),
    Column("session_id", Uuid, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("offset", Integer, nullable=False, doc="Where the chunk begins, in code points or parts."),
    Column("text", Text, nullable=False, doc="The text; of parts the text inside them, which may be empty."),
    Column("parts", Text, doc="The JSON texts of the parts, one per line; null in a stream of text."),
    PrimaryKeyConstraint("owner_id", "session_id", "sequence", "offset"),
    CheckConstraint("\"offset\" >= 0 AND coalesce(parts, text) <> ''", name="text"),
)
