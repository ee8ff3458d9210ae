"""Sessions: a row's lock orders every write in the session, its `head` numbers them (invariant 2)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from app.db.tables.columns import Moment, Ordered, Uuid, Xid8, document, metadata, moment, owner

sessions = Table(
    "sessions",
    metadata,
    owner(),
    Column("id", Uuid, nullable=False),
    Column("key", Ordered, doc="The client's own name, unique per owner."),
    Column("title", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False),
    Column("role", Text),
    Column("agent_type", Ordered),
    Column("task_id", Uuid, doc="What it works on; a task that may be gone with the session it was created in."),
    document("metadata"),
    Column("head", BigInteger, nullable=False, doc="The newest change number given in this session."),
    Column("revision", BigInteger, nullable=False, doc="The number of the session's own newest change."),
    Column("horizon", BigInteger, nullable=False, server_default="0", doc="Older cursors are not honoured."),
    Column("last_sequence", Integer, nullable=False, server_default="0"),
    Column("message_count", Integer, nullable=False, server_default="0", doc="Deleted ones do not count."),
    Column("purged_count", Integer, nullable=False, server_default="0", doc="Tombstones of messages that are gone."),
    Column("unread_count", Integer, nullable=False, server_default="0", doc="The USER's own do not count."),
    Column("last_read_sequence", Integer, nullable=False, server_default="0"),
    Column("client_created_at", Moment),
    moment("created_at"),
    moment("updated_at"),
    moment("last_activity_at"),
    Column("expires_at", Moment),
    Column("archived_at", Moment),
    Column("deleted_at", Moment),
    Column("erased_at", Moment, doc="Set on the emptied tombstone that HARD deletion leaves."),
    Column("changed_xid", Xid8, doc="The transaction of the newest change, stamped by a trigger."),
    PrimaryKeyConstraint("owner_id", "id"),
    CheckConstraint("status IN ('PENDING', 'ACTIVE', 'COMPLETED', 'FAILED', 'EXPIRED')", name="status"),
    CheckConstraint("revision <= head", name="revision"),
    CheckConstraint("message_count BETWEEN 0 AND last_sequence", name="message_count"),
    CheckConstraint("unread_count BETWEEN 0 AND message_count", name="unread_count"),
    CheckConstraint("last_read_sequence BETWEEN 0 AND last_sequence", name="last_read_sequence"),
    # Every append moves last_activity_at, so no update is HOT: vacuum early.
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02"},
)
Index(
    "sessions_key",
    sessions.c.owner_id,
    sessions.c.key,
    unique=True,
    postgresql_where=sessions.c.key.is_not(None),
)
Index("sessions_task", sessions.c.owner_id, sessions.c.task_id, postgresql_where=sessions.c.task_id.is_not(None))
Index("sessions_activity", sessions.c.owner_id, sessions.c.last_activity_at, sessions.c.id)
Index("sessions_changed", sessions.c.owner_id, sessions.c.changed_xid, sessions.c.id)
