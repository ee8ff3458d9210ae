"""Tasks: work handed from one role to another, in a session or on its own."""

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

from app.db.tables.columns import Ordered, Uuid, Xid8, document, metadata, moment, owner

tasks = Table(
    "tasks",
    metadata,
    owner(),
    Column("id", Uuid, nullable=False),
    Column("session_id", Uuid, doc="The session it was created in."),
    Column("type", Ordered, nullable=False),
    Column("from_role", Ordered),
    Column("to_role", Ordered),
    document("payload"),
    Column("trace_id", Ordered),
    Column("status", Text, nullable=False, server_default="PENDING"),
    Column("revision", BigInteger, nullable=False, doc="The session's number of its newest change, or its own count."),
    moment("created_at"),
    moment("updated_at"),
    Column("changed_xid", Xid8, doc="The transaction of the newest change, stamped by a trigger."),
    PrimaryKeyConstraint("owner_id", "id"),
    ForeignKeyConstraint(["owner_id", "session_id"], ["sessions.owner_id", "sessions.id"]),
    CheckConstraint("status IN ('PENDING', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELLED')", name="status"),
)
t = tasks.c
Index("tasks_changes", t.owner_id, t.session_id, t.revision, unique=True, postgresql_where=t.session_id.is_not(None))
Index("tasks_changed", t.owner_id, t.changed_xid, t.id)
