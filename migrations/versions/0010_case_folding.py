"""Case folding: a collation with upper and lower case, under one name on every server.

Revision: 0010
Follows: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
kind = "expand"

# PostgreSQL 17 has C.UTF-8 built in. Of 15 and 16 nearly every build has ICU; the rest takes the system's locale.
CREATE = """\
do $$
declare
    definition text;
begin
    foreach definition in array array[
        $_$provider = builtin, locale = 'C.UTF-8'$_$,
        $_$provider = icu, locale = 'und'$_$,
        $_$provider = libc, locale = 'C.UTF-8'$_$
    ] loop
        begin
            execute format('create collation if not exists colloquy_case (%s)', definition);
            return;
        exception
            when insufficient_privilege or invalid_schema_name then raise;
            when others then null;
        end;
    end loop;
    raise 'the server has neither ICU nor the locale C.UTF-8'
        using hint = 'Use PostgreSQL 17 or newer, one that is built with ICU, or add the locale to the system.';
end
$$"""


def upgrade() -> None:
    op.execute(CREATE)


def downgrade() -> None:
    op.execute("drop collation if exists colloquy_case")
