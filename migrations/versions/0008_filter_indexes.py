"""Tasks, approvals, audit: an index for each filter, so that a rare value does not cost a look at all rows.

Revision: 0008
Follows: 0007
"""

from app.db.operations import online
from app.db.operations.online import Index

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
kind = "expand"

CREATED = {
    "tasks_by_status": "tasks (owner_id, status, id)",
    "tasks_by_type": "tasks (owner_id, type, id)",
    "tasks_by_from_role": "tasks (owner_id, from_role, id) where from_role is not null",
    "tasks_by_to_role": "tasks (owner_id, to_role, id) where to_role is not null",
    "tasks_by_trace": "tasks (owner_id, trace_id, id) where trace_id is not null",
    "approvals_by_status": "approvals (owner_id, status, id)",
    "approvals_by_role": "approvals (owner_id, approver_role, id) where approver_role is not null",
    "audit_events_by_type": "audit_events (owner_id, event_type, at, id)",
    "audit_events_by_role": "audit_events (owner_id, role, at, id) where role is not null",
    "audit_events_by_trace": "audit_events (owner_id, trace_id, at, id) where trace_id is not null",
}
TASKS = Index("tasks_changed", "tasks (owner_id, changed_xid, id) where changed_xid is not null")
APPROVALS = Index("approvals_changed", "approvals (owner_id, changed_xid, id) where changed_xid is not null")
OLD_TASKS = Index("tasks_changed", "tasks (owner_id, changed_xid, id)")
OLD_APPROVALS = Index("approvals_changed", "approvals (owner_id, changed_xid, id)")


def upgrade() -> None:
    for name, on in CREATED.items():
        online.create_index(name, on)
    online.replace_indexes(TASKS, APPROVALS)


def downgrade() -> None:
    for name in CREATED:
        online.drop_index(name)
    online.replace_indexes(OLD_TASKS, OLD_APPROVALS)
