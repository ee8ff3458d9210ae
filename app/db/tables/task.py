"""Tasks: work that one role hands to another, in a session or without one."""

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

from app.db.tables.columns import BytewiseText, Uuid, Xid8, json_column, metadata, owner_column, timestamp_column

tasks = Table(
    "tasks",
    metadata,
    owner_column(),
    Column("id", Uuid, nullable=False),
    Column("session_id", Uuid, doc="The session that the task was created in."),
    Column("type", BytewiseText, nullable=False),
    Column("from_role", BytewiseText),
    Column("to_role", BytewiseText),
    json_column("payload"),
    Column("trace_id", BytewiseText),
    Column("status", Text, nullable=False, server_default="PENDING"),
    Column(
        "revision",
        BigInteger,
        nullable=False,
        doc="The session's change number of its newest change; without a session a count of its changes.",
    ),
    timestamp_column("created_at"),
    timestamp_column("updated_at"),
    Column("changed_xid", Xid8, doc="The transaction of the newest change; set by a trigger."),
    PrimaryKeyConstraint("owner_id", "id"),
    ForeignKeyConstraint(["owner_id", "session_id"], ["sessions.owner_id", "sessions.id"]),
    CheckConstraint("status IN ('PENDING', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELLED')", name="status"),
)
t = tasks.c
Index("tasks_changes", t.owner_id, t.session_id, t.revision, unique=True, postgresql_where=t.session_id.is_not(None))
# With the order of its page: the primary key, which has this order too, would read all tasks of the owner.
Index("tasks_session", t.owner_id, t.session_id, t.id, postgresql_where=t.session_id.is_not(None))
Index("tasks_changed", t.owner_id, t.changed_xid, t.id, postgresql_where=t.changed_xid.is_not(None))
Index("tasks_by_status", t.owner_id, t.status, t.id)
Index("tasks_by_type", t.owner_id, t.type, t.id)
Index("tasks_by_from_role", t.owner_id, t.from_role, t.id, postgresql_where=t.from_role.is_not(None))
Index("tasks_by_to_role", t.owner_id, t.to_role, t.id, postgresql_where=t.to_role.is_not(None))
Index("tasks_by_trace", t.owner_id, t.trace_id, t.id, postgresql_where=t.trace_id.is_not(None))
