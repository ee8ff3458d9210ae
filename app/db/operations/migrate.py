"""Migration of a database from one revision to another, with Alembic; the scripts are in `migrations/`.

`upgrade`, `downgrade` and `to_revision` block, and run an event loop of their own: call them before the server's loop
starts, or in a thread.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from app.db.operations.readiness import SCRIPTS


class MigrationError(Exception):
    """The database cannot be reached, or cannot be migrated to the requested revision."""


def upgrade(url: str, to: str = "head", *, scripts: Path = SCRIPTS) -> None:
    """Upgrades the database to revision `to`. Of several concurrent callers one works, and the others wait for it."""
    alembic(url, command.upgrade, to, scripts=scripts)


def downgrade(url: str, to: str, *, scripts: Path = SCRIPTS) -> None:
    """Downgrades the database to revision `to`; `base` is before the first."""
    alembic(url, command.downgrade, to, scripts=scripts)


def to_revision(url: str, to: str, *, scripts: Path = SCRIPTS) -> str | None:
    """Upgrades or downgrades the database to revision `to`; returns the revision that it then has."""
    reached: str | None = None

    def migrate(config: Config) -> None:
        nonlocal reached
        connection = config.attributes["connection"]
        at = MigrationContext.configure(connection).get_current_revision()
        earlier = ScriptDirectory.from_config(config).iterate_revisions(at, "base") if at else ()
        back = to.startswith(("base", "-")) or to in {script.revision for script in earlier}
        (command.downgrade if back else command.upgrade)(config, to)
        reached = MigrationContext.configure(connection).get_current_revision()

    alembic(url, migrate, scripts=scripts)
    return reached


def alembic(url: str, run: Callable[..., object], *arguments: Any, scripts: Path = SCRIPTS, **options: Any) -> None:
    """Runs one of Alembic's commands on the database at `url`. Raises MigrationError."""

    async def connected() -> None:
        async with engine.connect() as connection:
            await connection.run_sync(lambda sync: run(_config(scripts, connection=sync), *arguments, **options))

    engine = create_async_engine(url, poolclass=NullPool)
    try:
        asyncio.run(connected())
    except (OSError, DBAPIError, CommandError) as error:
        raise MigrationError(f"{engine.url.render_as_string()}: {error}") from error


def _config(scripts: Path, **attributes: object) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s")
    config.attributes.update(attributes)
    return config
