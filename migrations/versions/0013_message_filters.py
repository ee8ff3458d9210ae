"""Messages: indexes for those of one agent, and for those that are not COMPLETE.

Revision: 0013
Follows: 0012
"""

from app.db.operations import online

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
kind = "expand"

CREATED = {
    "messages_agent": "messages (owner_id, session_id, agent_key, sequence) where agent_key is not null",
    "messages_unfinished": "messages (owner_id, session_id, sequence)"
    " where status <> 'COMPLETE' and deleted_at is null",
}


def upgrade() -> None:
    for name, on in CREATED.items():
        online.create_index(name, on)


def downgrade() -> None:
    for name in CREATED:
        online.drop_index(name)
