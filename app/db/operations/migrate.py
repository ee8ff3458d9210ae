"""The database's way from one revision to another; the scripts lie in `migrations/`.

`upgrade` and `downgrade` block and run a loop of their own: call them before the server's, or in a thread.
"""

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app.db.access.database import Database
from app.errors import TimedOut

SCRIPTS = Path(__file__).parents[3] / "migrations"


class MigrationError(Exception):
    """The database cannot be reached, or not brought to the revision asked for."""


def upgrade(url: str, to: str = "head") -> None:
    """Brings the database up to revision `to`; of several callers one works and the others wait for it."""
    alembic(url, command.upgrade, to)


def downgrade(url: str, to: str) -> None:
    """Takes the database back to revision `to`; `base` is before the first."""
    alembic(url, command.downgrade, to)


@cache
def head() -> str | None:
    """The revision that this program expects; None as long as there is no migration."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def current(connection: AsyncConnection) -> str | None:
    """The revision of the database; None for one that was never migrated."""
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def unready(db: Database) -> str | None:
    """Why the database cannot serve this program; None when it can."""
    try:
        async with db.pool.connection() as connection:
            found = await current(connection)
    except (OSError, SQLAlchemyError, TimedOut) as error:
        return f"database: it cannot be reached ({type(error).__name__})"
    return None if found == head() else f"migrations: the database is at {found}, this program needs {head()}"


def move(url: str, to: str) -> str | None:
    """Brings the database up or takes it back to revision `to`; returns the one it is at then."""
    reached: str | None = None

    def apply(config: Config) -> None:
        nonlocal reached
        connection = config.attributes["connection"]
        at = MigrationContext.configure(connection).get_current_revision()
        before = ScriptDirectory.from_config(config).iterate_revisions(at, "base") if at else ()
        back = to.startswith(("base", "-")) or to in {script.revision for script in before}
        (command.downgrade if back else command.upgrade)(config, to)
        reached = MigrationContext.configure(connection).get_current_revision()

    alembic(url, apply)
    return reached


def alembic(url: str, act: Callable[..., object], *arguments: Any, **options: Any) -> None:
    """One of Alembic's commands on the database at `url`."""

    async def acted() -> None:
        async with engine.connect() as connection:
            await connection.run_sync(lambda sync: act(_config(connection=sync), *arguments, **options))

    engine = create_async_engine(url, poolclass=NullPool)
    try:
        asyncio.run(acted())
    except (OSError, DBAPIError, CommandError) as error:
        raise MigrationError(f"{engine.url.render_as_string()}: {error}") from error


def _config(**attributes: object) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s")
    config.attributes.update(attributes)
    return config
