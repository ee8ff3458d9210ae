"""Records: the changes of live records are numbered by their transaction, and their deletion leaves a tombstone.

Revision: 0018
Follows: 0017
"""

from alembic import op

from app.db.operations import online

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None
kind = "expand"

# Of live records alone: no other record pays for it.
TRIGGER = """\
create or replace trigger records_changed_xid before insert or update on records
for each row when (new.path >= E'live\\x1f' and new.path < 'live ') execute function colloquy_stamp_changed_xid()
"""
CHANGED = "records (owner_id, changed_xid, path) where changed_xid is not null"
TOMBSTONES = "records (updated_at, owner_id, path) where not isfinite(expires_at)"


def upgrade() -> None:
    op.execute("alter table records add column if not exists changed_xid xid8")
    op.execute(TRIGGER)
    online.create_index("records_changed", CHANGED)
    online.create_index("records_tombstones", TOMBSTONES)


def downgrade() -> None:
    op.execute("delete from records where not isfinite(expires_at)")
    op.execute("drop trigger if exists records_changed_xid on records")
    online.drop_index("records_tombstones")
    online.drop_index("records_changed")
    op.execute("alter table records drop column if exists changed_xid")
