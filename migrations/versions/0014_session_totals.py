"""Sessions: totals by agent type, and separate indexes for archived and for deleted ones.

Revision: 0014
Follows: 0013
"""

from alembic import op

from app.db.operations import online

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None
kind = "expand"

ACTIVITY = "sessions (owner_id, last_activity_at, id)"
CREATED = {
    "sessions_archived": f"{ACTIVITY} where archived_at is not null and deleted_at is null",
    "sessions_restorable": f"{ACTIVITY} where deleted_at is not null and erased_at is null",
}
AWAY = f"{ACTIVITY} where archived_at is not null or deleted_at is not null"
TOTALS = (
    """
create table if not exists counted_sessions (
    owner_id text collate "C" not null,
    session_id uuid not null,
    agent_type text collate "C" not null,
    active integer not null,
    archived integer not null,
    unread integer not null,
    messages integer not null,
    constraint counted_sessions_pkey primary key (owner_id, session_id)
)
""",
    """
create index if not exists counted_sessions_active on counted_sessions (owner_id, agent_type, session_id)
where active = 1
""",
    """
create table if not exists session_totals (
    owner_id text collate "C" not null,
    agent_type text collate "C" not null,
    sessions integer not null,
    active integer not null,
    archived integer not null,
    unread integer not null,
    messages bigint not null,
    constraint session_totals_pkey primary key (owner_id, agent_type)
)
""",
    """
create table if not exists count_positions (
    owner_id text collate "C" not null,
    epoch bigint not null,
    xid xid8 not null,
    id uuid not null,
    constraint count_positions_pkey primary key (owner_id)
)
""",
)


def upgrade() -> None:
    # The tables fill when totals are read.
    for statement in TOTALS:
        op.execute(statement)
    for name, on in CREATED.items():
        online.create_index(name, on)
    online.drop_index("sessions_away")


def downgrade() -> None:
    online.create_index("sessions_away", AWAY)
    for name in CREATED:
        online.drop_index(name)
    for table in ("count_positions", "session_totals", "counted_sessions"):
        op.execute(f"drop table if exists {table}")
