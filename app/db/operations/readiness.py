"""Whether the database can serve this program: what `/readyz` asks. Serving needs nothing else of the migrations."""

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
def expected_revision() -> str | None:
    """The newest revision among the migration scripts; None without any. Alembic agrees, but costs a start 60 ms."""
    scripts = [dict(REVISIONS.findall(path.read_text())) for path in (SCRIPTS / "versions").glob("*.py")]
    [newest] = {script["revision"] for script in scripts} - {script["down_revision"] for script in scripts} or [None]
    return newest


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision of the database; None for one that was never migrated."""
    try:
        found: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:  # there is no such table
        return None
    return found


async def unready(db: Database) -> str | None:
    """Why the database cannot serve this program; None when it can."""
    expected = expected_revision()
    try:
        async with db.pool.connection() as connection:
            found = await current_revision(connection)
    except (OSError, SQLAlchemyError, TimedOut) as error:
        return f"database: it cannot be reached ({type(error).__name__})"
    return None if found == expected else f"migrations: the database is at {found}, this program needs {expected}"
