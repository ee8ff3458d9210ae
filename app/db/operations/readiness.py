"""Readiness of the database, for `/readyz`: the only part of the migrations that a serving process needs."""

import re
from functools import cache
from pathlib import Path

from asyncpg.exceptions import InterfaceError
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from app.db.access.async_engine import AsyncConnection
from app.db.access.database import Database
from app.db.access.failures import sqlstate
from app.db.access.hints import hint
from app.db.tables import metadata
from app.errors import Unavailable

UNDEFINED_TABLE, UNDEFINED_OBJECT = "42P01", "42704"
SCRIPTS = Path(__file__).parents[3] / "migrations"
REVISIONS = re.compile(r'^(revision|down_revision)\b[^=]*= *(?:["\'](\w+)|None)', re.MULTILINE)
READ_ONLY = text("SHOW transaction_read_only")
ENCODING = text("SELECT current_setting('server_encoding')")
PARSED = text("SELECT to_tsquery(cast(:config AS regconfig), 'a')")
UNPROTECTED = text("""
SELECT relname FROM pg_class
WHERE relname = ANY (:tables) AND relnamespace = current_schema()::regnamespace AND NOT row_security_active(oid)
ORDER BY 1
""")
# The first migration of this kind of program adds the column; read as JSON, a missing column is NULL.
VERSION = text("SELECT version_num, to_jsonb(v) ->> 'compatible_from' FROM alembic_version v")


@cache
def predecessors(scripts: Path = SCRIPTS) -> dict[str, str]:
    """Every revision of the program with the revision before it, `""` before the first.

    Alembic reads the same from the scripts, but its import adds 60 ms to a start.
    """
    found = [dict(REVISIONS.findall(path.read_text())) for path in (scripts / "versions").glob("*.py")]
    return {script["revision"]: script["down_revision"] for script in found}


def expected_revision(scripts: Path = SCRIPTS) -> str | None:
    """The newest revision among the migration scripts; None without any."""
    [newest] = predecessors(scripts).keys() - set(predecessors(scripts).values()) or [None]
    return newest


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision of the database; None if it was never migrated."""
    return (await declared_version(connection))[0]


async def declared_version(connection: AsyncConnection) -> tuple[str | None, str | None]:
    """The revision of the database, and the oldest revision whose program can use it."""
    try:
        found = (await connection.execute(VERSION)).first()
    except ProgrammingError as error:
        if sqlstate(error.orig or error) != UNDEFINED_TABLE:
            raise
        return None, None
    return (None, None) if found is None else (found[0], found[1])


async def unusable_encoding(connection: AsyncConnection) -> str | None:
    """Why the database cannot store every text; None if it can."""
    found = await connection.scalar(ENCODING)
    if found == "UTF8":
        return None
    return f"its encoding is {found}, and must be UTF8; create another: `createdb -T template0 -E UTF8 NAME`"


async def unready(db: Database, scripts: Path = SCRIPTS) -> str | None:
    """Why the database cannot serve this program; None if it can.

    It can at the expected revision, and at a newer one that is declared compatible from a revision of this program.
    """
    try:
        async with db.pool.connection() as connection:
            if reason := await unusable_encoding(connection):
                return f"database: {reason}"
            found, compatible_from = await declared_version(connection)
            if db.engine and (reason := db.engine.unusable(db.role)):
                return f"Citus: {reason}"
            unprotected = await _unprotected(connection, db.role) if db.role and found else []
    except Unavailable as error:
        return f"database: {error.message}"
    except (OSError, SQLAlchemyError, InterfaceError) as error:
        return f"database: {hint(error) or f'it cannot be used ({type(error).__name__})'}"
    expected = expected_revision(scripts)
    if found == expected or is_newer_and_usable(found, compatible_from, scripts):
        return f"row-level security: {', '.join(unprotected)} lack it; run `colloquy migrate`" if unprotected else None
    if found is None:
        return f"migrations: the database has no tables, this program needs {expected}; run `colloquy migrate`"
    older = "; run `colloquy migrate`" if found in predecessors(scripts) else ""
    return f"migrations: the database is at {found}, this program needs {expected}{older}"


async def unknown_search_config(db: Database, config: str) -> str | None:
    """Why the database cannot index messages with this configuration; None if it can, or cannot be reached."""
    try:
        async with db.pool.connection() as connection:
            await connection.execute(PARSED, {"config": config})
    except (OSError, SQLAlchemyError, Unavailable) as error:
        if sqlstate(getattr(error, "orig", error)) == UNDEFINED_OBJECT:
            return f"search: the database has no text search configuration {config}; see SEARCH_CONFIG"
    return None


async def degraded(db: Database) -> str | None:
    """Why the database serves a part of the requests only; None if it serves all, or none."""
    try:
        async with db.pool.connection() as connection:
            if await connection.scalar(READ_ONLY) == "off":
                return None
            await connection.invalidate()  # what a connection has begun as it stays: the next look opens another
    except (OSError, SQLAlchemyError, InterfaceError, Unavailable):
        return None  # `unready` has the reason
    return "database: it is read-only, as a standby is; reads are answered, writes get UNAVAILABLE"


async def _unprotected(connection: AsyncConnection, role: str) -> list[str]:
    """The tables whose rows of all owners the role can read."""
    await connection.execute(text(f"SET LOCAL ROLE {role}"))  # a pooler's connection has none
    return list(await connection.scalars(UNPROTECTED, {"tables": sorted(metadata.tables)}))


def is_newer_and_usable(found: str | None, compatible_from: str | None, scripts: Path) -> bool:
    """True if a newer program migrated the database to `found`, and this one can go on with it."""
    return found is not None and found not in predecessors(scripts) and compatible_from in predecessors(scripts)
