"""Tasks and approvals: the index for each parent has the order of the page.

Revision: 0012
Follows: 0011
"""

from app.db.operations import online
from app.db.operations.online import Index

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
kind = "expand"

CREATED = {
    "approvals_session": "approvals (owner_id, session_id, id) where session_id is not null",
    "tasks_session": "tasks (owner_id, session_id, id) where session_id is not null",
}
MESSAGE = Index(
    "approvals_message", "approvals (owner_id, session_id, message_sequence, id) where session_id is not null"
)
TASK = Index("approvals_task", "approvals (owner_id, task_id, id) where task_id is not null")
OLD_MESSAGE = Index(
    "approvals_message", "approvals (owner_id, session_id, message_sequence) where session_id is not null"
)
OLD_TASK = Index("approvals_task", "approvals (owner_id, task_id) where task_id is not null")


def upgrade() -> None:
    for name, on in CREATED.items():
        online.create_index(name, on)
    online.replace_indexes(MESSAGE, TASK)


def downgrade() -> None:
    for name in CREATED:
        online.drop_index(name)
    online.replace_indexes(OLD_MESSAGE, OLD_TASK)
