"""Records: documents under keys, in namespaces.

Revision: 0016
Follows: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None
kind = "expand"


def upgrade() -> None:
    op.create_table(
        "records",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("session_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("binary", sa.LargeBinary(), nullable=True),
        sa.Column("metadata", postgresql.JSON(), nullable=False),
        sa.Column("tags", postgresql.JSONB(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "path", name=op.f("records_pkey")),
        sa.ForeignKeyConstraint(
            ["owner_id", "session_id"],
            ["sessions.owner_id", "sessions.id"],
            name=op.f("records_owner_id_session_id_fkey"),
        ),
        sa.CheckConstraint('(value IS NULL) <> ("binary" IS NULL)', name=op.f("records_content")),
    )
    op.create_index(
        "records_session",
        "records",
        ["owner_id", "session_id"],
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index(
        "records_due",
        "records",
        ["expires_at", "owner_id", "path"],
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("records")
