"""Streams and their chunks: the text of messages that are being written.

Revision: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A producer has to start again; the text so far stays in the message.
FOLD = """
update messages set status = 'FAILED', text = coalesce((
    select string_agg(c.text, '' order by c."offset") from message_chunks c
    where (c.owner_id, c.session_id, c.sequence) = (messages.owner_id, messages.session_id, messages.sequence)), '')
where status = 'STREAMING' and deleted_at is null
"""


def upgrade() -> None:
    op.create_table(
        "streams",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("session_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Text(), nullable=False),
        sa.Column("length", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "session_id", "sequence", name=op.f("streams_pkey")),
        sa.CheckConstraint("length >= 0", name=op.f("streams_length")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "message_chunks",
        sa.Column("owner_id", sa.Text(collation="C"), nullable=False),
        sa.Column("session_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("offset", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "session_id", "sequence", "offset", name=op.f("message_chunks_pkey")),
        sa.CheckConstraint("\"offset\" >= 0 AND text <> ''", name=op.f("message_chunks_text")),
    )
    op.add_column("messages", sa.Column("fence", sa.Text(), nullable=True))


def downgrade() -> None:
    op.execute(FOLD)
    op.drop_column("messages", "fence")
    op.drop_table("message_chunks")
    op.drop_table("streams")
