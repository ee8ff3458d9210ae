"""Records: documents under keys, in namespaces."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    not_,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.db.tables.columns import (
    BytewiseText,
    Timestamp,
    Uuid,
    Xid8,
    json_column,
    metadata,
    owner_column,
    timestamp_column,
)

records = Table(
    "records",
    metadata,
    owner_column(),
    Column("path", BytewiseText, nullable=False, doc="Namespace and key in one text: see app/record_path.py."),
    Column("session_id", Uuid, doc="The session with which the record is erased."),
    Column("value", Text, doc="A JSON text, unchanged to the character."),
    Column("binary", LargeBinary),
    json_column("metadata"),
    Column("tags", JSONB, nullable=False, doc="The metadata as conditions compare them."),
    Column("text", Text, nullable=False, doc="The strings in the value, as a search compares them."),
    Column("revision", BigInteger, nullable=False),
    Column("expires_at", Timestamp, doc="-infinity: the empty tombstone of a live record that was deleted."),
    timestamp_column("created_at"),
    timestamp_column("updated_at"),
    Column("changed_xid", Xid8, doc="The transaction of a live record's newest change; set by a trigger."),
    PrimaryKeyConstraint("owner_id", "path"),
    ForeignKeyConstraint(["owner_id", "session_id"], ["sessions.owner_id", "sessions.id"]),
    CheckConstraint('(value IS NULL) <> ("binary" IS NULL)', name="content"),
)
r = records.c
Index("records_session", r.owner_id, r.session_id, postgresql_where=r.session_id.is_not(None))
Index("records_due", r.expires_at, r.owner_id, r.path, postgresql_where=r.expires_at.is_not(None))
Index("records_changed", r.owner_id, r.changed_xid, r.path, postgresql_where=r.changed_xid.is_not(None))
# Of tombstones, for the sweeper. A function, since a partial index serves no condition with a parameter.
IS_TOMBSTONE = not_(func.isfinite(r.expires_at))
Index("records_tombstones", r.updated_at, r.owner_id, r.path, postgresql_where=IS_TOMBSTONE)
