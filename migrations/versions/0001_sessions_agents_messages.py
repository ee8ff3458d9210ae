"""Sessions, agents, the agents of sessions, messages; the owner leads every key.

Revision: 0001
Follows: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id."""

    def get_col_spec(self, **_: object) -> str:
        return "XID8"


# A trigger sets the transaction id, so that no statement can omit it; snapshots compare the same id.
STAMP = """
create function colloquy_stamp_changed_xid() returns trigger language plpgsql as $$
begin
    new.changed_xid := pg_current_xact_id();
    return new;
end
$$
"""
STAMP_SESSIONS = """
create trigger sessions_changed_xid before insert or update on sessions
for each row execute function colloquy_stamp_changed_xid()
"""


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=True),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), server_default="AVAILABLE", nullable=False),
        sa.Column("skills", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("hourly_rate", sa.Numeric(), nullable=True),
        sa.Column("metadata", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('AVAILABLE', 'BUSY', 'OFFLINE', 'RETIRED')", name=op.f("agents_status")),
        sa.CheckConstraint("hourly_rate >= 0", name=op.f("agents_hourly_rate")),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("agents_pkey")),
    )
    op.create_index(
        "agents_key", "agents", ["owner_id", "key"], unique=True, postgresql_where=sa.text("key IS NOT NULL")
    )
    op.create_index("agents_name", "agents", ["owner_id", "name", "id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=True),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("agent_type", sa.Text(collation="C"), nullable=True),
        sa.Column("metadata", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_sequence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("message_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unread_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_read_sequence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("client_created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_activity_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_xid", Xid8(), nullable=True),
        sa.CheckConstraint(
            "status IN ('PENDING', 'ACTIVE', 'COMPLETED', 'FAILED', 'EXPIRED')", name=op.f("sessions_status")
        ),
        sa.CheckConstraint("last_read_sequence BETWEEN 0 AND last_sequence", name=op.f("sessions_last_read_sequence")),
        sa.CheckConstraint("message_count BETWEEN 0 AND last_sequence", name=op.f("sessions_message_count")),
        sa.CheckConstraint("revision <= head", name=op.f("sessions_revision")),
        sa.CheckConstraint("unread_count BETWEEN 0 AND message_count", name=op.f("sessions_unread_count")),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("sessions_pkey")),
        postgresql_with={"autovacuum_vacuum_scale_factor": "0.02"},
    )
    op.create_index("sessions_activity", "sessions", ["owner_id", "last_activity_at", "id"], unique=False)
    op.create_index("sessions_changed", "sessions", ["owner_id", "changed_xid", "id"], unique=False)
    op.create_index(
        "sessions_key",
        "sessions",
        ["owner_id", "key"],
        unique=True,
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.create_table(
        "session_agents",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("session_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("agent_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("state", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "conversation_manager_state",
            postgresql.JSON(astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("internal_state", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("client_created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('AGENT', 'MULTI_AGENT')", name=op.f("session_agents_kind")),
        sa.ForeignKeyConstraint(
            ["owner_id", "agent_id"],
            ["agents.owner_id", "agents.id"],
            name=op.f("session_agents_owner_id_agent_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "session_id"],
            ["sessions.owner_id", "sessions.id"],
            name=op.f("session_agents_owner_id_session_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("owner_id", "session_id", "kind", "key", name=op.f("session_agents_pkey")),
    )
    op.create_index(
        "session_agents_agent",
        "session_agents",
        ["owner_id", "agent_id", "session_id"],
        unique=False,
        postgresql_where=sa.text("agent_id IS NOT NULL"),
    )
    op.create_index("session_agents_changes", "session_agents", ["owner_id", "session_id", "revision"], unique=True)
    op.create_table(
        "messages",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("session_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=True),
        sa.Column("agent_kind", sa.Text(), sa.Computed("'AGENT'", persisted=True), nullable=True),
        sa.Column("agent_key", sa.Text(collation="C"), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="COMPLETE", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("metadata", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("created_revision", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("client_created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('USER', 'ASSISTANT', 'SYSTEM', 'TOOL')", name=op.f("messages_role")),
        sa.CheckConstraint("status IN ('STREAMING', 'COMPLETE', 'CANCELLED', 'FAILED')", name=op.f("messages_status")),
        sa.CheckConstraint("created_revision <= revision", name=op.f("messages_revision")),
        sa.ForeignKeyConstraint(
            ["owner_id", "session_id", "agent_kind", "agent_key"],
            [
                "session_agents.owner_id",
                "session_agents.session_id",
                "session_agents.kind",
                "session_agents.key",
            ],
            name="messages_agent_fkey",
        ),
        sa.PrimaryKeyConstraint("owner_id", "session_id", "sequence", name=op.f("messages_pkey")),
    )
    op.create_index("messages_changes", "messages", ["owner_id", "session_id", "revision"], unique=True)
    op.create_index(
        "messages_key",
        "messages",
        ["owner_id", "session_id", sa.literal_column("coalesce(agent_key, '')"), "key"],
        unique=True,
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    op.execute(STAMP)
    op.execute(STAMP_SESSIONS)


def downgrade() -> None:
    op.drop_table("messages")
    op.drop_table("session_agents")
    op.drop_table("sessions")
    op.drop_table("agents")
    op.execute("drop function colloquy_stamp_changed_xid()")
