"""Messages: indexes that the planner cannot take for one another, and one for the tombstones that time removes.

Revision: 0006
Follows: 0005
"""

from app.db.operations import online
from app.db.operations.online import Index

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
kind = "expand"

# A condition that always holds, but that only the reader of changes states: no other statement can choose the index.
CHANGES = Index("messages_changes", "messages (owner_id, session_id, revision) where revision is not null", unique=True)
KEY = Index(
    "messages_key",
    "messages (owner_id, session_id, key, coalesce(agent_key, '')) where key is not null",
    unique=True,
)
OLD_CHANGES = Index("messages_changes", "messages (owner_id, session_id, revision)", unique=True)
OLD_KEY = Index(
    "messages_key",
    "messages (owner_id, session_id, coalesce(agent_key, ''), key) where key is not null",
    unique=True,
)


def upgrade() -> None:
    online.create_index("messages_deleted", "messages (deleted_at) where deleted_at is not null")
    online.replace_indexes(CHANGES, KEY)


def downgrade() -> None:
    online.drop_index("messages_deleted")
    online.replace_indexes(OLD_CHANGES, OLD_KEY)
