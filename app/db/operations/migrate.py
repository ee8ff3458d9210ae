"""Migration of a database from one revision to another, with Alembic; the scripts are in `migrations/`.

`upgrade`, `downgrade` and `to_revision` block, and run an event loop of their own: call them before the server's loop
starts, or in a thread. Alembic runs one migration at a time in a process.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from itertools import count, repeat
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from asyncpg.exceptions import InterfaceError
from sqlalchemy import Connection, NullPool, func, select, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.util import await_only

from app.db.access import failures
from app.db.access.async_engine import AsyncEngine, open_engine
from app.db.access.hints import explained
from app.db.access.servers import Servers
from app.db.operations import online, readiness
from app.db.operations.readiness import SCRIPTS
from app.settings.postgres_url import without_password

Report = Callable[[str], None]
"""Receives a line about each step that takes long."""

# Any number that nothing else in this database locks.
LOCK = 4_605_102_861
TURN_SECONDS = 0.5
# Clients queue behind a statement that waits for a lock: it waits briefly, then pauses. Ten minutes in all.
PAUSES_SECONDS = (0.5, 1, 2, 4, 8, *repeat(10, 60))
WATCH_SECONDS = 10
WATCH = text("""
select p.index_relid::regclass::text as index, p.phase, p.blocks_done * 100 / nullif(p.blocks_total, 0) as percent,
       (select string_agg(format('%s (%s, its transaction began %s)', b.pid, b.state, b.xact_start), ', ')
        from pg_stat_activity b where b.pid = any(pg_blocking_pids(a.pid))) as blockers
from pg_stat_activity a left join pg_stat_progress_create_index p on p.pid = a.pid
where a.pid = :pid and a.state = 'active'
""")


class MigrationError(Exception):
    """The database cannot be reached, or cannot be migrated to the requested revision."""


class NewerDatabase(MigrationError):
    """The database is at a revision that only a newer program has; `usable` if this program can go on with it."""

    def __init__(self, found: str, usable: bool) -> None:
        super().__init__(f"the database is at {found}, a revision of a newer program: migrate with that program")
        self.found, self.usable = found, usable


def ignore(_line: str) -> None:
    """A Report that drops the line."""


def upgrade(url: str, to: str = "head", *, scripts: Path = SCRIPTS, report: Report = ignore) -> None:
    """Upgrades the database to revision `to`. Of several concurrent callers one works, and the others wait for it.

    A database that a newer program has migrated stays as it is if this program can use it.
    """
    try:
        alembic(url, command.upgrade, to, scripts=scripts, report=report)
    except NewerDatabase as newer:
        if not newer.usable:
            raise
        report(f"A newer program has migrated the database to {newer.found}; this program can use it.")


def downgrade(url: str, to: str, *, scripts: Path = SCRIPTS) -> None:
    """Downgrades the database to revision `to`; `base` is before the first."""
    alembic(url, command.downgrade, to, scripts=scripts)


def to_revision(url: str, to: str, *, scripts: Path = SCRIPTS, report: Report = ignore) -> str | None:
    """Upgrades or downgrades the database to revision `to`; returns the revision that it then has.

    `-2` is two revisions before the current one.
    """
    reached, target = None, to

    def migrate(config: Config) -> None:
        nonlocal reached, target
        connection = config.attributes["connection"]
        at = _current(connection, scripts)
        line = ["base", *_lineage(scripts)]
        earlier = line[: line.index(at or "base")]
        # Resolved once: an attempt that fails halfway has changed the current revision.
        if (steps := re.fullmatch("-([1-9][0-9]*)", target)) and int(steps[1]) <= len(earlier):
            target = earlier[-int(steps[1])]
        (command.downgrade if target in earlier else command.upgrade)(config, target)
        reached = _current(connection, scripts)

    alembic(url, migrate, scripts=scripts, report=report)
    return reached


def alembic(
    url: str,
    run: Callable[..., object],
    *arguments: Any,
    scripts: Path = SCRIPTS,
    report: Report = ignore,
    **options: Any,
) -> None:
    """Runs one of Alembic's commands on the database at `url`; repeats it while a lock is not free.

    Raises MigrationError.
    """
    engine = open_engine(Servers(url), poolclass=NullPool)

    async def attempt() -> None:
        async with engine.connect() as connection:
            if reason := await readiness.unusable_encoding(connection):
                raise MigrationError(f"{without_password(url)}: {reason}")
            pid = await connection.scalar(text("select pg_backend_pid()"))
            await connection.rollback()
            watch = asyncio.create_task(_watch(engine, pid, report))
            try:
                await connection.run_sync(
                    lambda sync: run(_config(scripts, connection=sync, report=report), *arguments, **options)
                )
            finally:
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)

    try:
        asyncio.run(_until_locks_are_free(attempt, report))
    except (OSError, SQLAlchemyError, CommandError, InterfaceError) as error:
        # On a lost connection Alembic commits nevertheless after a step outside of its transaction: a second error.
        cause = error.__context__ if isinstance(error, PendingRollbackError) else error
        raise MigrationError(f"{without_password(url)}: {explained(cause or error)}") from error


def take_turn(connection: Connection, scripts: Path, report: Report) -> None:
    """Prepares the connection of a migration: its settings, and the lock that one process holds until it disconnects.

    The wait for the lock holds no transaction: the process that works may build an index, which waits for all
    snapshots. Raises NewerDatabase.
    """
    for setting in online.SETTINGS:
        connection.execute(text(setting))
    connection.commit()
    for attempt in count():
        mine = connection.scalar(select(func.pg_try_advisory_lock(LOCK)))
        connection.commit()
        if mine:
            break
        if not attempt:
            report("Another process migrates; this process waits for it.")
        await_only(asyncio.sleep(TURN_SECONDS))
    _current(connection, scripts)
    connection.commit()


def _current(connection: Connection, scripts: Path) -> str | None:
    """The revision of the database. Raises NewerDatabase."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in readiness.predecessors(scripts):
        compatible_from = connection.execute(readiness.VERSION).one()[1]
        raise NewerDatabase(found, readiness.is_newer_and_usable(found, compatible_from, scripts))
    return found


def _lineage(scripts: Path) -> list[str]:
    """All revisions of this program, the oldest first."""
    lineage, revision = [], readiness.expected_revision(scripts)
    while revision:
        lineage.append(revision)
        revision = readiness.predecessors(scripts)[revision]
    return lineage[::-1]


async def _until_locks_are_free(attempt: Callable[[], Awaitable[None]], report: Report) -> None:
    for pause in PAUSES_SECONDS:
        try:
            return await attempt()
        except DBAPIError as error:
            if error.orig is None or not (
                failures.lock_timeout(error.orig) or failures.serialization_failure(error.orig)
            ):
                raise
            report(f"A lock is not free; again in {pause} s: {error.orig}")
        await asyncio.sleep(pause)
    return await attempt()


async def _watch(engine: AsyncEngine, pid: int, report: Report) -> None:
    """Reports the progress of an index that the server process `pid` builds, and the processes that it waits for."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        async with engine.connect() as connection:
            seen = (await connection.execute(WATCH, {"pid": pid})).first()
        if seen and seen.phase:
            report(f"Index {seen.index}: {seen.phase}" + ("" if seen.percent is None else f", {seen.percent} %"))
        if seen and seen.blockers:
            report(f"It waits for process {seen.blockers}.")


def _config(scripts: Path, **attributes: object) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s")
    config.attributes.update(attributes)
    return config
