"""Messages: the producer's document and its blocks, token usage, redaction, and the search index.

Revision: 0004
Follows: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Existing messages become searchable with the default settings.
FILL = """
update messages set tsv = to_tsvector('simple', left(text, 16384)) || array_to_tsvector(array['@' || owner_id])
where deleted_at is null
"""


def upgrade() -> None:
    op.add_column("messages", sa.Column("raw", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("content", postgresql.JSON(astext_type=sa.Text()), nullable=True))
    op.add_column("messages", sa.Column("tsv", postgresql.TSVECTOR(), nullable=True))
    op.add_column("messages", sa.Column("input_tokens", sa.Integer(), nullable=True))
    op.add_column("messages", sa.Column("output_tokens", sa.Integer(), nullable=True))
    op.add_column("messages", sa.Column("total_tokens", sa.Integer(), nullable=True))
    op.add_column("messages", sa.Column("redacted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("messages_usage"), "messages", "num_nulls(input_tokens, output_tokens, total_tokens) IN (0, 3)"
    )
    op.create_check_constraint(
        op.f("messages_tokens"), "messages", "least(input_tokens, output_tokens, total_tokens) >= 0"
    )
    op.execute(FILL)
    op.create_index(
        "messages_search",
        "messages",
        ["tsv"],
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": "512"},
    )


def downgrade() -> None:
    op.drop_index("messages_search", table_name="messages")
    op.drop_constraint(op.f("messages_tokens"), "messages")
    op.drop_constraint(op.f("messages_usage"), "messages")
    for name in ("redacted_at", "total_tokens", "output_tokens", "input_tokens", "tsv", "content", "raw"):
        op.drop_column("messages", name)
