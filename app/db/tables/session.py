"""Sessions: the row's lock orders every write in the session, its `head` numbers them (invariant 2)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
)

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

INDEXED_STATUSES = ("PENDING", "COMPLETED", "FAILED", "EXPIRED")
"""Of the index `sessions_by_status`: ACTIVE would take an entry with each append."""
sessions = Table(
    "sessions",
    metadata,
    owner_column(),
    Column("id", Uuid, nullable=False),
    Column("key", BytewiseText, doc="Chosen by the client, unique per owner."),
    Column("title", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False),
    Column("role", Text),
    Column("agent_type", BytewiseText),
    Column("task_id", Uuid, doc="The task that the session works on; it may have been erased."),
    json_column("metadata"),
    Column("head", BigInteger, nullable=False, doc="The newest change number in the session."),
    Column("revision", BigInteger, nullable=False, doc="The change number of the newest change of the session itself."),
    Column(
        "horizon",
        BigInteger,
        nullable=False,
        server_default="0",
        doc="Cursors older than this change number are refused: tombstones up to it have been removed.",
    ),
    Column("last_sequence", Integer, nullable=False, server_default="0"),
    Column("message_count", Integer, nullable=False, server_default="0", doc="Without deleted messages."),
    Column(
        "purged_count",
        Integer,
        nullable=False,
        server_default="0",
        doc="How many tombstones of messages have been removed.",
    ),
    Column("unread_count", Integer, nullable=False, server_default="0", doc="Without messages of role USER."),
    Column("last_read_sequence", Integer, nullable=False, server_default="0"),
    Column("client_created_at", Timestamp),
    timestamp_column("created_at"),
    timestamp_column("updated_at"),
    timestamp_column("last_activity_at"),
    Column("expires_at", Timestamp),
    Column("archived_at", Timestamp),
    Column("deleted_at", Timestamp),
    Column("erased_at", Timestamp, doc="When HARD deletion erased the session; the row stays as an empty tombstone."),
    Column("changed_xid", Xid8, doc="The transaction of the newest change; set by a trigger."),
    Column(
        "timeline",
        Integer,
        nullable=False,
        server_default="0",
        doc="The timeline of PostgreSQL in which `head` grew last; set by a trigger.",
    ),
    Column(
        "fork_revision",
        BigInteger,
        doc="The head before the first change after the newest promotion of a standby; set by a trigger.",
    ),
    PrimaryKeyConstraint("owner_id", "id"),
    CheckConstraint("status IN ('PENDING', 'ACTIVE', 'COMPLETED', 'FAILED', 'EXPIRED')", name="status"),
    CheckConstraint("revision <= head", name="revision"),
    CheckConstraint("message_count BETWEEN 0 AND last_sequence", name="message_count"),
    CheckConstraint("unread_count BETWEEN 0 AND message_count", name="unread_count"),
    CheckConstraint("last_read_sequence BETWEEN 0 AND last_sequence", name="last_read_sequence"),
    # Every append changes the indexed last_activity_at, so no update is HOT: vacuum early.
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02"},
)
s = sessions.c
Index("sessions_key", s.owner_id, s.key, unique=True, postgresql_where=s.key.is_not(None))
Index("sessions_task", s.owner_id, s.task_id, postgresql_where=s.task_id.is_not(None))
# Each append adds an entry to every index that holds its session: to those of the keys, and to these two.
Index(
    "sessions_listed",
    s.owner_id,
    s.last_activity_at,
    s.id,
    postgresql_where=and_(s.archived_at.is_(None), s.deleted_at.is_(None)),
)
Index("sessions_changed", s.owner_id, s.changed_xid, s.id, postgresql_where=s.changed_xid.is_not(None))
# Appends do not add to these: their sessions take no messages, or are ACTIVE from the first one on.
Index(
    "sessions_by_status",
    s.owner_id,
    s.status,
    s.last_activity_at,
    s.id,
    postgresql_where=and_(s.status.in_(INDEXED_STATUSES), s.archived_at.is_(None), s.deleted_at.is_(None)),
)
Index(
    "sessions_archived",
    s.owner_id,
    s.last_activity_at,
    s.id,
    postgresql_where=and_(s.archived_at.is_not(None), s.deleted_at.is_(None)),
)
Index(
    "sessions_restorable",
    s.owner_id,
    s.last_activity_at,
    s.id,
    postgresql_where=and_(s.deleted_at.is_not(None), s.erased_at.is_(None)),
)
# The sweeper searches these for all owners.
Index("sessions_deleted", s.deleted_at, postgresql_where=and_(s.deleted_at.is_not(None), s.erased_at.is_(None)))
Index("sessions_expired", s.updated_at, postgresql_where=and_(s.status == "EXPIRED", s.erased_at.is_(None)))
Index(
    "sessions_due",
    s.expires_at,
    postgresql_where=and_(s.expires_at.is_not(None), s.status.in_(("PENDING", "ACTIVE")), s.deleted_at.is_(None)),
)
Index("sessions_erased", s.erased_at, postgresql_where=s.erased_at.is_not(None))
