"""Tasks, approvals, the audit log with its append-only trigger, and the task of a session.

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_: object) -> str:
        return "XID8"


STAMP = """
create trigger {table}_changed_xid before insert or update on {table}
for each row execute function colloquy_stamp_changed_xid()
"""
REFUSE = """
create function colloquy_refuse_change() returns trigger language plpgsql as $$
begin
    raise insufficient_privilege using message = format('%s is append-only', tg_table_name);
end
$$
"""
# Per statement, not per row: refuses statements that match no row too, and TRUNCATE, which has no rows.
APPEND_ONLY = """
create trigger audit_events_append_only before update or delete or truncate on audit_events
for each statement execute function colloquy_refuse_change()
"""


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("session_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("from_role", sa.Text(collation="C"), nullable=True),
        sa.Column("to_role", sa.Text(collation="C"), nullable=True),
        sa.Column("payload", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("trace_id", sa.Text(collation="C"), nullable=True),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_xid", Xid8(), nullable=True),
        sa.CheckConstraint(
            "status IN ('PENDING', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELLED')", name=op.f("tasks_status")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "session_id"],
            ["sessions.owner_id", "sessions.id"],
            name=op.f("tasks_owner_id_session_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("tasks_pkey")),
    )
    op.create_index("tasks_changed", "tasks", ["owner_id", "changed_xid", "id"], unique=False)
    op.create_index(
        "tasks_changes",
        "tasks",
        ["owner_id", "session_id", "revision"],
        unique=True,
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_table(
        "approvals",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("session_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("task_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("message_sequence", sa.Integer(), nullable=True),
        sa.Column("tool_use_id", sa.Text(collation="C"), nullable=True),
        sa.Column("approver_role", sa.Text(collation="C"), nullable=True),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_xid", Xid8(), nullable=True),
        sa.CheckConstraint("status IN ('PENDING', 'APPROVED', 'REJECTED', 'CANCELLED')", name=op.f("approvals_status")),
        sa.CheckConstraint("(status = 'PENDING') = (decided_at IS NULL)", name=op.f("approvals_decided_at")),
        sa.CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", name=op.f("approvals_decided_by")),
        sa.CheckConstraint("task_id IS NOT NULL OR message_sequence IS NOT NULL", name=op.f("approvals_task_id")),
        sa.CheckConstraint("(message_sequence IS NULL) = (tool_use_id IS NULL)", name=op.f("approvals_tool_use_id")),
        sa.CheckConstraint("message_sequence IS NULL OR session_id IS NOT NULL", name=op.f("approvals_session_id")),
        sa.ForeignKeyConstraint(
            ["owner_id", "session_id"],
            ["sessions.owner_id", "sessions.id"],
            name=op.f("approvals_owner_id_session_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("approvals_pkey")),
    )
    op.create_index("approvals_changed", "approvals", ["owner_id", "changed_xid", "id"], unique=False)
    op.create_index(
        "approvals_changes",
        "approvals",
        ["owner_id", "session_id", "revision"],
        unique=True,
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index(
        "approvals_message",
        "approvals",
        ["owner_id", "session_id", "message_sequence"],
        unique=False,
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index(
        "approvals_task",
        "approvals",
        ["owner_id", "task_id"],
        unique=False,
        postgresql_where=sa.text("task_id IS NOT NULL"),
    )
    op.create_table(
        "audit_events",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("event_type", sa.Text(collation="C"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(collation="C"), nullable=True),
        sa.Column("trace_id", sa.Text(collation="C"), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("subject_sequence", sa.Integer(), nullable=True),
        sa.Column("metadata", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "subject_kind IN ('SESSION', 'MESSAGE', 'AGENT', 'TASK', 'APPROVAL')",
            name=op.f("audit_events_subject_kind"),
        ),
        sa.CheckConstraint(
            "(subject_kind = 'MESSAGE') = (subject_sequence IS NOT NULL)", name=op.f("audit_events_subject_sequence")
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("audit_events_pkey")),
    )
    op.create_index("audit_events_at", "audit_events", ["owner_id", "at", "id"], unique=False)
    op.create_index("audit_events_subject", "audit_events", ["owner_id", "subject_id", "at", "id"], unique=False)
    op.add_column("sessions", sa.Column("task_id", sa.UUID(as_uuid=False), nullable=True))
    op.create_index(
        "sessions_task",
        "sessions",
        ["owner_id", "task_id"],
        unique=False,
        postgresql_where=sa.text("task_id IS NOT NULL"),
    )
    op.execute(STAMP.format(table="tasks"))
    op.execute(STAMP.format(table="approvals"))
    op.execute(REFUSE)
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_index("sessions_task", "sessions")
    op.drop_column("sessions", "task_id")
    op.drop_table("audit_events")
    op.drop_table("approvals")
    op.drop_table("tasks")
    op.execute("drop function colloquy_refuse_change()")
