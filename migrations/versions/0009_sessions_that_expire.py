"""Sessions: the sweeper's look for `expiresAt`, which few sessions have.

Revision: 0009
Follows: 0008
"""

from app.db.operations import online

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
kind = "expand"

NAME = "sessions_due"
ON = "sessions (expires_at) where expires_at is not null and status in ('PENDING', 'ACTIVE') and deleted_at is null"


def upgrade() -> None:
    online.create_index(NAME, ON)


def downgrade() -> None:
    online.drop_index(NAME)
