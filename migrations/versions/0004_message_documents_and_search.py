"""Messages: the producer's document and its blocks, token usage, redaction, and the search index.

Revision: 0004
Follows: 0003
"""

from alembic import op

from app.db.operations import online

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = {
    "raw": "text",
    "content": "json",
    "tsv": "tsvector",
    "input_tokens": "integer",
    "output_tokens": "integer",
    "total_tokens": "integer",
    "redacted_at": "timestamptz",
}
CHECKS = {
    "messages_usage": "num_nulls(input_tokens, output_tokens, total_tokens) in (0, 3)",
    "messages_tokens": "least(input_tokens, output_tokens, total_tokens) >= 0",
}
# Existing messages become searchable with the default settings.
WORDS = "tsv = to_tsvector('simple', left(text, 16384)) || array_to_tsvector(array['@' || owner_id])"


def upgrade() -> None:
    added = [f"add column if not exists {name} {kind}" for name, kind in COLUMNS.items()]
    for name, condition in CHECKS.items():
        added += [f"drop constraint if exists {name}", f"add constraint {name} check ({condition}) not valid"]
    # An interrupted run of this migration may have added them before.
    op.execute("-- squawk-ignore ban-drop-constraint\nalter table messages " + ", ".join(added))
    for name in CHECKS:
        online.validate_constraint("messages", name)
    online.update_in_batches("messages", WORDS, "tsv is null and deleted_at is null")
    online.create_index("messages_search", "messages using gin (tsv) with (gin_pending_list_limit = 512)")


def downgrade() -> None:
    online.drop_index("messages_search")
    dropped = [f"drop constraint if exists {name}" for name in CHECKS]
    dropped += [f"drop column if exists {name}" for name in COLUMNS]
    op.execute("alter table messages " + ", ".join(dropped))
