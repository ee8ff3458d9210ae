"""Streams: an indexed time for the sweeper, which changes less often than the stream.

Revision: 0011
Follows: 0010
"""

from alembic import op

from app.db.operations import online

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
kind = "expand"


def upgrade() -> None:
    # The chunks of an older program do not set the column. The sweeper compares updated_at too.
    op.execute("alter table streams add column if not exists active_at timestamptz not null default now()")
    online.create_index("streams_active", "streams (active_at, owner_id, session_id)")


def downgrade() -> None:
    online.drop_index("streams_active")
    op.execute("alter table streams drop column if exists active_at")
