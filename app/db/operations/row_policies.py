"""The role of the server's statements, and the policies that show it the rows of one owner (`access.row_security`)."""

from alembic.config import Config
from sqlalchemy import Connection, text

from app.db.access.row_security import SETTING
from app.db.operations import migrate
from app.db.operations.migrate import Report, ignore
from app.db.operations.readiness import SCRIPTS
from app.db.tables import metadata

OWNED = sorted(metadata.tables)
"""Every table has an owner's rows (`tests/db/test_row_security.py`)."""
ROLE_EXISTS = text("select exists (select from pg_roles where rolname = :role)")
PROTECTED = text("select relrowsecurity from pg_class where oid = to_regclass(:table)")
HAS_POLICY = text("select exists (select from pg_policy where polrelid = to_regclass(:table) and polname = :role)")


def secure(url: str, role: str, *, report: Report = ignore) -> None:
    """Creates the role if it does not exist, and gives it rights and a policy on every table that lacks one.

    Locks each table for milliseconds, as an expanding migration does. Other roles that own no table see no rows from
    then on. Blocks, as `migrate.upgrade` does. Raises MigrationError.
    """
    migrate.alembic(url, _secure, role, report=report)


def _secure(config: Config, role: str) -> None:
    connection, report = config.attributes["connection"], config.attributes["report"]
    migrate.take_turn(connection, SCRIPTS, report)
    if not connection.scalar(ROLE_EXISTS, {"role": role}):
        connection.execute(text(f"create role {role} nologin"))
        connection.execute(text(f"grant {role} to current_user"))
        report(f"The role {role} is created.")
    _grant(connection, role)
    connection.commit()
    for table in OWNED:
        if not connection.scalar(HAS_POLICY, {"table": table, "role": role}):
            mine = f"owner_id = current_setting('{SETTING}', true)"
            connection.execute(text(f"create policy {role} on {table} to {role} using ({mine})"))
        if not connection.scalar(PROTECTED, {"table": table}):
            connection.execute(text(f"alter table {table} enable row level security"))
            report(f"Row-level security protects {table}.")
        connection.commit()


def _grant(connection: Connection, role: str) -> None:
    """Rights on the rows of every table, and on nothing else; the role cannot change, empty or create a table."""
    schema = connection.scalar(text("select quote_ident(current_schema())"))
    connection.execute(text(f"grant usage on schema {schema} to {role}"))
    connection.execute(text(f"grant select, insert, update, delete on {', '.join(OWNED)} to {role}"))
    connection.execute(text(f"grant usage on all sequences in schema {schema} to {role}"))
    connection.execute(text(f"grant select on alembic_version to {role}"))
