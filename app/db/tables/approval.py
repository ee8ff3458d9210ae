"""Approvals: decisions that a task, or a tool call in a message, waits for."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
)

from app.db.tables.columns import BytewiseText, Timestamp, Uuid, Xid8, metadata, owner_column, timestamp_column

# No foreign key to tasks: erasing the session of a task deletes the task, and its approval may be in another session.
approvals = Table(
    "approvals",
    metadata,
    owner_column(),
    Column("id", Uuid, nullable=False),
    Column("session_id", Uuid, doc="The session of the message, or else of the task."),
    Column("task_id", Uuid, doc="The task; it may have been erased."),
    Column("message_sequence", Integer, doc="The message whose tool call waits."),
    Column("tool_use_id", BytewiseText),
    Column("approver_role", BytewiseText),
    Column("status", Text, nullable=False, server_default="PENDING"),
    Column("notes", Text),
    Column("decided_by", Text, doc="The `sub` of the token that decided."),
    Column("decided_at", Timestamp),
    Column(
        "revision",
        BigInteger,
        nullable=False,
        doc="The session's change number of its newest change; without a session a count of its changes.",
    ),
    timestamp_column("created_at"),
    Column("changed_xid", Xid8, doc="The transaction of the newest change; set by a trigger."),
    PrimaryKeyConstraint("owner_id", "id"),
    ForeignKeyConstraint(["owner_id", "session_id"], ["sessions.owner_id", "sessions.id"]),
    CheckConstraint("status IN ('PENDING', 'APPROVED', 'REJECTED', 'CANCELLED')", name="status"),
    CheckConstraint("(status = 'PENDING') = (decided_at IS NULL)", name="decided_at"),
    CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", name="decided_by"),
    CheckConstraint("task_id IS NOT NULL OR message_sequence IS NOT NULL", name="task_id"),
    CheckConstraint("(message_sequence IS NULL) = (tool_use_id IS NULL)", name="tool_use_id"),
    CheckConstraint("message_sequence IS NULL OR session_id IS NOT NULL", name="session_id"),
)
p = approvals.c
in_session = p.session_id.is_not(None)
Index("approvals_changes", p.owner_id, p.session_id, p.revision, unique=True, postgresql_where=in_session)
# Each ends with the order of its page: the primary key has this order too, but reads all approvals of the owner.
Index("approvals_session", p.owner_id, p.session_id, p.id, postgresql_where=in_session)
# Few approvals wait: a list of sessions counts them for each session.
Index(
    "approvals_pending",
    p.owner_id,
    p.session_id,
    p.id,
    postgresql_where=and_(p.status == "PENDING", in_session),
)
Index("approvals_message", p.owner_id, p.session_id, p.message_sequence, p.id, postgresql_where=in_session)
Index("approvals_task", p.owner_id, p.task_id, p.id, postgresql_where=p.task_id.is_not(None))
Index("approvals_changed", p.owner_id, p.changed_xid, p.id, postgresql_where=p.changed_xid.is_not(None))
Index("approvals_by_status", p.owner_id, p.status, p.id)
Index("approvals_by_role", p.owner_id, p.approver_role, p.id, postgresql_where=p.approver_role.is_not(None))
