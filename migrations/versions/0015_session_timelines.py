"""Sessions: the numbers that a promoted standby lacked are never given twice.

Revision: 0015
Follows: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None
kind = "expand"

# PostgreSQL begins a new timeline with every promotion and restore. The numbers begin with 0 here, so that nothing
# changes on a server that was promoted before. A server without these functions has one timeline.
TIMELINE = """\
do $do$
declare
    number constant text := $_$('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer$_$;
    before integer;
begin
    begin
        execute 'select ' || number into before;
    exception when others then
        create function colloquy_timeline() returns integer language sql stable as 'select 0';
        return;
    end;
    execute format($_$
        create function colloquy_timeline() returns integer language plpgsql stable as $body$
        begin
            if pg_is_in_recovery() then
                return (select timeline_id from pg_control_checkpoint()) - %s;
            end if;
            return %s - %s;
        end
        $body$
    $_$, before, number, before);
end
$do$"""
# The first change after a promotion takes a number from the next block of 2^20: all numbers that the lost changes had
# are in the block before.
STAMP = """\
create function colloquy_stamp_session() returns trigger language plpgsql as $$
declare
    present constant integer := colloquy_timeline();
    skipped bigint;
begin
    new.changed_xid := pg_current_xact_id();
    if tg_op = 'INSERT' then
        new.timeline := present;
    elsif new.head > old.head and old.timeline <> present then
        skipped := 1048576 - 1 - (old.head - 1) % 1048576;
        new.timeline := present;
        new.fork_revision := old.head;
        new.head := new.head + skipped;
        if new.revision > old.head then
            new.revision := new.revision + skipped;
        end if;
    end if;
    return new;
end
$$"""
TRIGGER = """\
create or replace trigger sessions_changed_xid before insert or update on sessions
for each row execute function {}()"""


def upgrade() -> None:
    op.add_column("sessions", sa.Column("timeline", sa.Integer(), server_default="0", nullable=False))
    op.add_column("sessions", sa.Column("fork_revision", sa.BigInteger(), nullable=True))
    op.execute(TIMELINE)
    op.execute(STAMP)
    op.execute(TRIGGER.format("colloquy_stamp_session"))


def downgrade() -> None:
    op.execute(TRIGGER.format("colloquy_stamp_changed_xid"))
    op.execute("drop function colloquy_stamp_session()")
    op.execute("drop function colloquy_timeline()")
    op.drop_column("sessions", "fork_revision")
    op.drop_column("sessions", "timeline")
