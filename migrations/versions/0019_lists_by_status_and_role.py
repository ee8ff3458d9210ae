"""Messages, approvals, sessions and agents: indexes for what is rare.

Revision: 0019
Follows: 0018
"""

from app.db.operations import online
from app.db.operations.online import Index

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
kind = "expand"

CREATED = {
    "messages_by_role": "messages (owner_id, session_id, role, sequence)"
    " where role in ('SYSTEM', 'TOOL') and deleted_at is null",
    "approvals_pending": "approvals (owner_id, session_id, id) where status = 'PENDING' and session_id is not null",
    "sessions_by_status": "sessions (owner_id, status, last_activity_at, id)"
    " where status in ('PENDING', 'COMPLETED', 'FAILED', 'EXPIRED') and archived_at is null and deleted_at is null",
}
ENDED = (
    "sessions (owner_id, status, last_activity_at, id)"
    " where status in ('COMPLETED', 'FAILED', 'EXPIRED') and archived_at is null and deleted_at is null"
)
NAME = Index("agents_name", "agents (owner_id, name, id) where deleted_at is null")
OLD_NAME = Index("agents_name", "agents (owner_id, name, id)")


def upgrade() -> None:
    for name, on in CREATED.items():
        online.create_index(name, on)
    online.drop_index("sessions_ended")
    online.replace_indexes(NAME)


def downgrade() -> None:
    online.create_index("sessions_ended", ENDED)
    for name in CREATED:
        online.drop_index(name)
    online.replace_indexes(OLD_NAME)
