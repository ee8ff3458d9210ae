"""Approvals: a decision that a task or a tool call in a message waits for."""

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
)

from app.db.tables.columns import Moment, Ordered, Uuid, Xid8, metadata, moment, owner

# A task may go with the session it was created in, and leave an approval in another: so no key leads to it.
approvals = Table(
    "approvals",
    metadata,
    owner(),
    Column("id", Uuid, nullable=False),
    Column("session_id", Uuid, doc="The session it lies in: the message's, else the task's."),
    Column("task_id", Uuid, doc="Of a task that may be gone."),
    Column("message_sequence", Integer, doc="The message in the session whose tool call waits."),
    Column("tool_use_id", Ordered),
    Column("approver_role", Ordered),
    Column("status", Text, nullable=False, server_default="PENDING"),
    Column("notes", Text),
    Column("decided_by", Text, doc="The subject of the token."),
    Column("decided_at", Moment),
    Column("revision", BigInteger, nullable=False, doc="The session's number of its newest change, or its own count."),
    moment("created_at"),
    Column("changed_xid", Xid8, doc="The transaction of the newest change, stamped by a trigger."),
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
Index("approvals_message", p.owner_id, p.session_id, p.message_sequence, postgresql_where=in_session)
Index("approvals_task", p.owner_id, p.task_id, postgresql_where=p.task_id.is_not(None))
Index("approvals_changed", p.owner_id, p.changed_xid, p.id)
