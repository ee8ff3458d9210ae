"""The command line. Exit codes: 0 done, or stopped as asked; 1 failed, and says why; 2 called in a
wrong way; 3 the server could not start.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import graphql_compiled
import typer

from app import auth, sweeper, telemetry
from app.db import tables
from app.db.access.database import Database
from app.db.operations import check, describe, migrate
from app.db.operations.embedded import EmbeddedError, embedded_postgres
from app.db.operations.sweep import Ages
from app.main import create_app
from app.schema import schema as graphql
from app.server import serve as serve_app
from app.settings import Settings, SettingsError

# What serving does not need is imported by the command that does: a server that was killed is up again sooner.

DEMO_OWNER = "demo"
DAY = 86_400

cli = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@cli.command()
def run() -> None:
    """Start everything on this machine: PostgreSQL unless DATABASE_URL is set, migrations, the server."""
    with _failing_in_words(), _until_stopped():
        settings = Settings.load()
        with _database(settings) as ready:
            migrate.upgrade(_direct_url(ready))
            _serve(ready, welcome=True)


@cli.command()
def serve(
    migrations: Annotated[
        bool, typer.Option("--migrate", help="Bring the database to the newest revision first.")
    ] = False,
) -> None:
    """Serve, with the database of DATABASE_URL: what a container runs."""
    with _failing_in_words(), _until_stopped():
        settings = Settings.load()
        url = _direct_url(settings)
        if migrations:
            migrate.upgrade(url)
        _serve(settings)


@cli.command("migrate")
def migrate_(
    to: Annotated[str, typer.Option(help="A revision; one before the present one takes back.")] = "head",
) -> None:
    """Bring the database of DATABASE_URL, or the embedded one, to a revision."""
    with _failing_in_words(), _database(Settings.load()) as settings:
        typer.echo(f"The database is at {migrate.move(_direct_url(settings), to) or 'nothing'}.")


@cli.command()
def token(
    sub: Annotated[str, typer.Option(help="The owner of what the bearer makes.")],
    scope: Annotated[list[str] | None, typer.Option(help="chat:read, chat:write; not given: both.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="What the bearer may decide on.")] = None,
    ttl: Annotated[int, typer.Option(help="How long it is valid, in seconds.", min=1)] = DAY,
) -> None:
    """Print a token signed with JWT_SECRET, alone on the last line."""
    with _failing_in_words():
        settings = Settings.load()
    try:
        typer.echo(auth.mint(settings, sub=sub, scopes=scope, roles=role or [], ttl_seconds=ttl))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@cli.command()
def schema(
    tables_: Annotated[bool, typer.Option("--tables", help="The database's tables, in Markdown.")] = False,
) -> None:
    """Print the GraphQL schema."""
    typer.echo((describe.markdown(tables.metadata) if tables_ else graphql.as_str()).rstrip())


@cli.command()
def explain(
    file: Annotated[typer.FileText, typer.Argument(help="A GraphQL document.")],
    operation: Annotated[str | None, typer.Option(help="Its name, if there are several.")] = None,
) -> None:
    """Print the Python that an operation is compiled to."""
    with _failing_in_words():
        typer.echo(graphql_compiled.explain(graphql._schema, file.read(), operation).rstrip())


@cli.command()
def demo(
    url: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
) -> None:
    """Tell three conversations to a running server, as the owner of the development token."""
    with _failing_in_words():
        from app import demo as conversations

        settings = Settings.load()
        try:
            asyncio.run(conversations.fill(url, auth.mint(settings, sub=DEMO_OWNER, ttl_seconds=DAY)))
        except (conversations.Unreachable, RuntimeError) as error:
            typer.echo(f"The demo could not be told to {url}: {error}", err=True)
            raise typer.Exit(1) from None
    typer.echo("Three conversations are there.")


@cli.command("check")
def check_() -> None:
    """Look at every row of the database: exit 1 if anything breaks an invariant."""
    with _failing_in_words(), _database(Settings.load()) as settings:
        found = asyncio.run(_check(_direct_url(settings)))
    raise typer.Exit(1 if found else 0)


@cli.command()
def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what is due, change nothing.")] = False,
) -> None:
    """Expire, purge and forget what is due; the server does the same every minute."""
    with _failing_in_words(), _database(Settings.load()) as settings:
        counts = asyncio.run(_sweep(_direct_url(settings), sweeper.ages(settings), dry_run))
    if counts is None:
        typer.echo("Another process is sweeping.", err=True)
        raise typer.Exit(1)
    for step, count in counts.items():
        typer.echo(f"{count:8} {step}{' would be' if dry_run else ''}")


async def _sweep(url: str, ages: Ages, dry_run: bool) -> dict[str, int] | None:
    db = Database(url, pool_size=2, statement_timeout=3600)
    try:
        if dry_run:
            return await sweeper.due(db, ages)
        from rich.progress import BarColumn, Progress, TaskID, TextColumn

        with Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}")) as progress:
            bars: dict[str, TaskID] = {}

            def told(step: str, count: int) -> None:
                if step not in bars:
                    bars[step] = progress.add_task(step, total=None)
                progress.advance(bars[step], count)

            return await sweeper.sweep_once(db, ages, told)
    finally:
        await db.close()


async def _check(url: str) -> int:
    """Prints each rule with what breaks it; how many sessions do."""
    db, total = Database(url, pool_size=1, statement_timeout=3600), 0
    try:
        async for rule, found in check.broken(db):
            total += len(found)
            typer.echo(f"{'BROKEN' if found else 'ok':7} {rule}" + (f": {len(found)} sessions" if found else ""))
            for row in found[:10]:
                typer.echo(f"        {row.owner_id} {row.session_id}")
    finally:
        await db.close()
    return total


def main() -> None:
    """The program's entry."""
    cli()


@contextmanager
def _failing_in_words() -> Iterator[None]:
    try:
        yield
    except (SettingsError, EmbeddedError, migrate.MigrationError, graphql_compiled.Uncompilable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@contextmanager
def _until_stopped() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that the database is stopped too; either is a way to end well."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
    """The settings with a database in them: the embedded one when none is named."""
    if settings.database_url:
        yield settings
        return
    root = settings.data_dir / "postgres"
    typer.echo(f"PostgreSQL starts in {root} …", err=True)
    with embedded_postgres(root) as url:
        yield settings.model_copy(update={"database_url": url})


def _direct_url(settings: Settings) -> str:
    if url := settings.database_direct_url or settings.database_url:
        return url
    raise SettingsError(["DATABASE_URL: it is not set; give postgresql://…, or use `colloquy run`"])


def _serve(settings: Settings, *, welcome: bool = False) -> None:
    async def greet(address: str) -> None:
        if settings.jwt_secret and not settings.production and await _is_empty(settings):
            from app import demo as conversations

            typer.echo("The database is empty: here come three conversations to look at.", err=True)
            await conversations.fill(address, auth.mint(settings, sub=DEMO_OWNER, ttl_seconds=DAY))
        _welcome(settings, address)

    telemetry.set_up_logs(settings)
    serve_app(create_app(settings), settings, greet if welcome else None)


async def _is_empty(settings: Settings) -> bool:
    db = Database(_direct_url(settings), pool_size=1)
    try:
        return await check.is_empty(db)
    finally:
        await db.close()


def _welcome(settings: Settings, address: str) -> None:
    typer.echo(
        "" if settings.production else f"\n  A sidebar  {address}   (in a browser: read, write, watch an answer come)"
    )
    typer.echo(f"  GraphQL    {address}/graphql{'   (GraphiQL in a browser)' if settings.graphiql else ''}")
    typer.echo(f"  Health     {address}/readyz   Metrics {address}/metrics")
    if settings.jwt_secret and not settings.production:
        typer.echo(f"  A token for the owner {DEMO_OWNER!r}, good for a day:\n")
        typer.echo(auth.mint(settings, sub=DEMO_OWNER, ttl_seconds=DAY))
    typer.echo("\n  Ctrl-C stops everything; the data stays.\n")
