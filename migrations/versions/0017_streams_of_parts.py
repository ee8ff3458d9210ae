"""Streams: a streaming message may consist of parts in place of text.

Revision: 0017
Follows: 0016
"""

from alembic import op

from app.db.operations import online

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
kind = "expand"

FORMATS = "parts_format IN ('AI_SDK', 'AG_UI', 'OTHER')"
CONTENT = "\"offset\" >= 0 AND coalesce(parts, text) <> ''"
# A producer has to start again; the text inside the parts stays in the message.
FAIL = """
update messages set status = 'FAILED', text = coalesce((
    select string_agg(c.text, '' order by c."offset") from message_chunks c
    where (c.owner_id, c.session_id, c.sequence) = (messages.owner_id, messages.session_id, messages.sequence)), '')
where status = 'STREAMING' and deleted_at is null and exists (
    select from streams x where x.parts_format is not null
    and (x.owner_id, x.session_id, x.sequence) = (messages.owner_id, messages.session_id, messages.sequence))
"""
REMOVE = (
    """
delete from message_chunks c using streams x where x.parts_format is not null
and (x.owner_id, x.session_id, x.sequence) = (c.owner_id, c.session_id, c.sequence)
""",
    "delete from streams where parts_format is not null",
)


def upgrade() -> None:
    # An interrupted run of this migration may have added them before. Citus accepts ADD CONSTRAINT only alone.
    op.execute(
        "-- squawk-ignore ban-drop-constraint\nalter table streams add column if not exists parts_format text, "
        "add column if not exists size integer default 0 not null, drop constraint if exists streams_parts_format"
    )
    op.execute(f"alter table streams add constraint streams_parts_format check ({FORMATS}) not valid")
    op.execute(
        "-- squawk-ignore ban-drop-constraint\nalter table message_chunks add column if not exists parts text, "
        "drop constraint if exists message_chunks_text"
    )
    op.execute(f"alter table message_chunks add constraint message_chunks_text check ({CONTENT}) not valid")
    online.validate_constraint("streams", "streams_parts_format")
    online.validate_constraint("message_chunks", "message_chunks_text")


def downgrade() -> None:
    op.execute(FAIL)
    for removal in REMOVE:
        op.execute(removal)
    op.execute("alter table message_chunks drop constraint message_chunks_text, drop column parts")
    op.execute("alter table message_chunks add constraint message_chunks_text check (\"offset\" >= 0 AND text <> '')")
    op.execute("alter table streams drop column size, drop column parts_format")
