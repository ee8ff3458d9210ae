"""Commands on the database: migrate, check, sweep, reindex."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from app import sweeper
from app.commands import CommandError, direct_url, load_settings, reporting
from app.db.access import engine
from app.db.access.database import Database
from app.db.access.failures import sqlstate
from app.db.access.hints import hint
from app.db.operations import check, distribution, migrate, readiness, reindex, row_policies
from app.db.operations.embedded import EmbeddedError, embedded_postgres
from app.db.operations.sweep import Retention
from app.settings import Settings
from app.settings.postgres_url import without_password

HOUR_SECONDS = 3600  # a look at every row may take as long
EXAMPLES = 10  # rows that are printed for each broken rule


@contextmanager
def available_database(settings: Settings) -> Iterator[Settings]:
    """The settings with a database: the embedded one, started, when none is named."""
    if settings.database_url:
        yield settings
        return
    try:
        root = settings.directory / "postgres"
    except ValueError as error:
        raise CommandError(f"DATA_DIR: {error}; give a directory to write to, or DATABASE_URL") from None
    print(f"PostgreSQL starts in {root} …", file=sys.stderr)
    with reporting(EmbeddedError), embedded_postgres(root) as url:
        yield settings.model_copy(update={"database_url": url})


def maintenance_database(settings: Settings, *, pool_size: int = 1) -> Database:
    """The database without a pooler in between, for statements that may take an hour."""
    limits = {"pool_size": pool_size, "statement_timeout": HOUR_SECONDS, "slow_statement": HOUR_SECONDS}
    return Database(direct_url(settings), **settings.database_options | limits)


@asynccontextmanager
async def _ready_database(settings: Settings, *, pool_size: int = 1) -> AsyncIterator[Database]:
    """The database for maintenance. Raises CommandError, with what to do, if it cannot be used."""
    where, db = without_password(direct_url(settings)), maintenance_database(settings, pool_size=pool_size)
    try:
        if reason := await readiness.unready(db):
            raise CommandError(f"{where}: {reason}")
        yield db
    except Exception as error:
        if sqlstate(error) and (words := hint(error)):
            raise CommandError(f"{where}: {words}") from error
        raise
    finally:
        await db.close()


def upgrade(settings: Settings) -> None:
    """Migrate to the newest revision; protect the rows from the role of the settings."""
    with reporting(migrate.MigrationError):
        migrate.upgrade(direct_url(settings), report=_print_progress)
        _secure(settings)


def migrate_to(revision: str, *, distribute: bool = False) -> None:
    """Migrate up or down to a revision and print where the database is then; on Citus also distribute the tables."""
    with reporting(migrate.MigrationError), available_database(load_settings()) as settings:
        if distribute and settings.database_role:
            raise CommandError(f"DATABASE_ROLE: {engine.NO_ROLE}; unset it before --distribute")
        reached = migrate.to_revision(direct_url(settings), revision, report=_print_progress)
        if reached == readiness.expected_revision():
            _secure(settings)
        print(f"The database is at {reached or 'nothing'}.")
        if distribute:
            distribution.distribute(direct_url(settings), report=_print_progress)
            print("Its tables are distributed.")


def _secure(settings: Settings) -> None:
    if settings.database_role:
        row_policies.secure(direct_url(settings), settings.database_role, report=_print_progress)


def _print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def check_invariants() -> int:
    """Print each rule with the sessions that break it; return their number."""
    with available_database(load_settings()) as settings:
        return asyncio.run(_check(settings))


async def _check(settings: Settings) -> int:
    total = 0
    async with _ready_database(settings) as db:
        async for rule, broken in check.violations(db):
            total += len(broken)
            print(f"{'BROKEN' if broken else 'ok':7} {rule}" + (f": {len(broken)} sessions" if broken else ""))
            for row in broken[:EXAMPLES]:
                print(f"        {row.owner_id} {row.session_id}")
    return total


def sweep_due(dry_run: bool) -> None:
    """Run the sweeper once and print what each step did; with `dry_run` print what is due."""
    with available_database(load_settings()) as settings:
        counts = asyncio.run(_sweep(settings, dry_run))
    if counts is None:
        raise CommandError("Another process is sweeping.")
    for step, count in counts.items():
        print(f"{count:8} {step}{' is due' if dry_run else ''}")


async def _sweep(settings: Settings, dry_run: bool) -> dict[str, int] | None:
    limits = sweeper.retention(settings)
    async with _ready_database(settings, pool_size=2) as db:
        if dry_run:
            return await sweeper.due(db, limits)
        return await _sweep_with_progress(db, limits)


async def _sweep_with_progress(db: Database, limits: Retention) -> dict[str, int] | None:
    from rich.progress import BarColumn, Progress, TaskID, TextColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}")) as progress:
        bars: dict[str, TaskID] = {}

        def advance(step: str, changed: int, failed: int) -> None:
            if step not in bars:
                bars[step] = progress.add_task(step, total=None)
            progress.advance(bars[step], changed)

        return await sweeper.sweep_once(db, limits, advance)


def reindex_messages(first_owner: str) -> None:
    """Rebuild the search index of all messages, from an owner on, and print how many there were."""
    with available_database(load_settings()) as settings:
        print(f"{asyncio.run(_reindex(settings, first_owner))} messages are indexed.")


async def _reindex(settings: Settings, first_owner: str) -> int:
    from rich.progress import Progress, TextColumn

    total = 0
    async with _ready_database(settings) as db:
        if reason := await readiness.unknown_search_config(db, settings.search_config):
            raise CommandError(reason)
        with Progress(TextColumn("{task.completed} messages, {task.fields[owner]}")) as progress:
            task = progress.add_task("", total=None, owner="")
            async for owner, count in reindex.run(db, settings.indexing, first_owner):
                total += count
                progress.update(task, completed=total, owner=owner)
    return total
