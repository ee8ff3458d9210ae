"""Sessions: the list without what is archived or deleted, changes by condition, and what time removes.

Revision: 0007
Follows: 0006
"""

from app.db.operations import online
from app.db.operations.online import Index

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
kind = "expand"

ACTIVITY = "sessions (owner_id, last_activity_at, id)"
CREATED = {
    "sessions_listed": f"{ACTIVITY} where archived_at is null and deleted_at is null",
    "sessions_away": f"{ACTIVITY} where archived_at is not null or deleted_at is not null",
    "sessions_ended": "sessions (owner_id, status, last_activity_at, id)"
    " where status in ('COMPLETED', 'FAILED', 'EXPIRED') and archived_at is null and deleted_at is null",
    "sessions_deleted": "sessions (deleted_at) where deleted_at is not null and erased_at is null",
    "sessions_expired": "sessions (updated_at) where status = 'EXPIRED' and erased_at is null",
    "sessions_erased": "sessions (erased_at) where erased_at is not null",
}
CHANGED = Index("sessions_changed", "sessions (owner_id, changed_xid, id) where changed_xid is not null")
PARTS = Index(
    "session_agents_changes",
    "session_agents (owner_id, session_id, revision) where revision is not null",
    unique=True,
)
OLD_CHANGED = Index("sessions_changed", "sessions (owner_id, changed_xid, id)")
OLD_PARTS = Index("session_agents_changes", "session_agents (owner_id, session_id, revision)", unique=True)


def upgrade() -> None:
    for name, on in CREATED.items():
        online.create_index(name, on)
    online.drop_index("sessions_activity")
    online.replace_indexes(CHANGED, PARTS)


def downgrade() -> None:
    online.create_index("sessions_activity", ACTIVITY)
    for name in CREATED:
        online.drop_index(name)
    online.replace_indexes(OLD_CHANGED, OLD_PARTS)
