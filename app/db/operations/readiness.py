"""Readiness of the database, for `/readyz`: the only part of the migrations that a serving process needs."""

import re
from functools import cache
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from app.db.access.async_engine import AsyncConnection
from app.db.access.database import Database
from app.errors import TimedOut

SCRIPTS = Path(__file__).parents[3] / "migrations"
REVISIONS = re.compile(r'^(revision|down_revision)\b[^=]*= *(?:["\'](\w+)|None)', re.MULTILINE)


@cache
def expected_revision(scripts: Path = SCRIPTS) -> str | None:
    """The newest revision among the migration scripts; None without any. Alembic agrees, but costs a start 60 ms."""
    found = [dict(REVISIONS.findall(path.read_text())) for path in (scripts / "versions").glob("*.py")]
    [newest] = {script["revision"] for script in found} - {script["down_revision"] for script in found} or [None]
    return newest


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision of the database; None if it was never migrated."""
    try:
        found: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:  # the table does not exist
        return None
    return found


async def unready(db: Database) -> str | None:
    """Why the database cannot serve this program; None if it can."""
    expected = expected_revision()
    try:
        async with db.pool.connection() as connection:
            found = await current_revision(connection)
    except (OSError, SQLAlchemyError, TimedOut) as error:
        return f"database: it cannot be reached ({type(error).__name__})"
    return None if found == expected else f"migrations: the database is at {found}, this program needs {expected}"
