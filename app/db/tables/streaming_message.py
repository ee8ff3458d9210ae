"""Streams: where each message that is being written stands, and its text so far in chunks; folded into it at the end.

A narrow row and small chunks: a text that grew in its message's row would be written anew with every word.
"""

from sqlalchemy import CheckConstraint, Column, Integer, PrimaryKeyConstraint, Table, Text

from app.db.tables.columns import Uuid, metadata, moment, owner

streams = Table(
    "streams",
    metadata,
    owner(),
    Column("session_id", Uuid, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("fence", Text, nullable=False, doc="Names the one producer whose text is taken."),
    Column("length", Integer, nullable=False, server_default="0", doc="Of the text so far, in code points."),
    moment("updated_at"),
    PrimaryKeyConstraint("owner_id", "session_id", "sequence"),
    CheckConstraint("length >= 0", name="length"),
    # Each chunk moves the row: room beside it, and no other index, keep the move on its page.
    postgresql_with={"fillfactor": "50"},
)
message_chunks = Table(
    "message_chunks",
    metadata,
    owner(),
    Column("session_id", Uuid, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("offset", Integer, nullable=False, doc="Where it begins in the text, in code points."),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("owner_id", "session_id", "sequence", "offset"),
    CheckConstraint("\"offset\" >= 0 AND text <> ''", name="text"),
)
