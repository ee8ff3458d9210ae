"""Migrations on a temporary PostgreSQL.

`check`: the linter accepts all migrations; upgrade, downgrade, upgrade; then the database must not differ from the
tables in the code. `new NAME`: generate the migration that brings the database to the tables in the code.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.db.operations.embedded import embedded_postgres
from app.db.operations.migrate import MigrationError, alembic, downgrade, upgrade
from app.db.tables import metadata
from scripts import migration_lint

DEFINITIONS = text("""
select indexdef from pg_indexes where schemaname = 'public' and tablename <> 'alembic_version'
union all
select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated
from pg_constraint
where connamespace = 'public'::regnamespace and conrelid::regclass::text <> 'alembic_version' and contype <> 'n'
""")


def difference(url: str) -> list[str]:
    """Indexes and constraints that differ between migrations and tables; Alembic compares fewer of their properties."""

    async def read() -> list[str]:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            migrated = set(await connection.scalars(DEFINITIONS))
            await connection.execute(text("drop schema public cascade"))
            await connection.execute(text("create schema public"))
            await connection.run_sync(metadata.create_all)
            declared = set(await connection.scalars(DEFINITIONS))
        await engine.dispose()
        return sorted(migrated ^ declared)

    return asyncio.run(read())


def main(action: str, name: str = "") -> None:
    if action == "check" and (problems := migration_lint.problems()):
        sys.exit("\n".join([*problems, "app/db/operations/online.py has steps that do not block clients."]))
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)
        with embedded_postgres(Path(directory) / "pg", durable=False) as url:
            upgrade(url)
            if action == "new":
                alembic(url, command.revision, message=name, autogenerate=True, rev_id=name)
                return
            downgrade(url, "base")
            upgrade(url)
            alembic(url, command.check)
            if found := difference(url):
                sys.exit("Not the same in tables and migrations:\n" + "\n".join(found))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except MigrationError as error:
        sys.exit(str(error))
