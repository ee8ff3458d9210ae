"""Colloquy, the conversation backend of AI chat products.

Exit codes: 0 done, or stopped as asked; 1 failed, with the reason; 2 wrong usage; 3 the server could not start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

# A command imports what it needs when it runs: `--help` and `token` need neither SQLAlchemy nor GraphQL.

cli = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


def _show_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"colloquy-server {version('colloquy-server')}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


@cli.command()
def run() -> None:
    """Start PostgreSQL (unless DATABASE_URL is set), migrate, and serve; the way to start on one machine."""
    from app.commands import serving

    with _reported():
        serving.run()


@cli.command()
def serve(
    migrations: Annotated[bool, typer.Option("--migrate", help="Migrate to the newest revision first.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Processes; instead of WORKERS.")] = None,
) -> None:
    """Serve with the database of DATABASE_URL; the command of a container."""
    from app.commands import serving

    with _reported():
        serving.serve(migrate_first=migrations, processes=workers)


@cli.command()
def migrate(
    to: Annotated[str, typer.Option(help="A revision; one before the current one downgrades.")] = "head",
    distribute: Annotated[
        bool, typer.Option("--distribute", help="Then distribute the tables over the nodes of Citus, rows included.")
    ] = False,
) -> None:
    """Migrate the database of DATABASE_URL, or the embedded one, to a revision."""
    from app.commands import database

    with _reported():
        database.migrate_to(to, distribute=distribute)


@cli.command()
def token(
    sub: Annotated[str, typer.Option(help="The owner that the token stands for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="chat:read, chat:write or chat:act, repeatable; default: the first two.")
    ] = None,
    role: Annotated[list[str] | None, typer.Option(help="A role for approvals, repeatable.")] = None,
    ttl: Annotated[int, typer.Option(help="Lifetime in seconds.", min=1)] = 86_400,
) -> None:
    """Print a token signed with JWT_SECRET, alone on the last line."""
    from app.commands import tokens

    with _reported():
        tokens.print_token(sub, scope, role or [], ttl)


@cli.command()
def schema(
    tables: Annotated[bool, typer.Option("--tables", help="Print the database's tables as Markdown instead.")] = False,
) -> None:
    """Print the GraphQL schema."""
    from app.commands import printing

    printing.print_tables() if tables else printing.print_schema()


@cli.command()
def explain(
    file: Annotated[typer.FileText, typer.Argument(help="A GraphQL document.")],
    operation: Annotated[str | None, typer.Option(help="The operation's name, if the document has several.")] = None,
) -> None:
    """Print the Python code that an operation is compiled to."""
    from app.commands import printing

    with _reported():
        printing.print_compiled(file.read(), operation)


@cli.command()
def demo(
    url: Annotated[str, typer.Option(help="The server's address.")] = "http://127.0.0.1:8000",
) -> None:
    """Add three example conversations of the development owner to a running server."""
    from app.commands import demo as command

    with _reported():
        command.fill(url)


@cli.command()
def check() -> None:
    """Check every row of the database against the invariants; exit 1 if one is broken."""
    from app.commands import database

    with _reported():
        broken = database.check_invariants()
    raise typer.Exit(1 if broken else 0)


@cli.command()
def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what is due, change nothing.")] = False,
) -> None:
    """Expire, purge and delete what is due, as the server does every minute."""
    from app.commands import database

    with _reported():
        database.sweep_due(dry_run)


@cli.command()
def reindex(
    owner: Annotated[str, typer.Option("--from", help="The owner to start with; the progress shows it.")] = "",
) -> None:
    """Rebuild the search index of all messages, while servers serve; after an upgrade or a change of SEARCH_CONFIG."""
    from app.commands import database

    with _reported():
        database.reindex_messages(owner)


@contextmanager
def _reported() -> Iterator[None]:
    """A failure that a command foresees: its message on stderr and exit code 1 (2 for a wrong argument)."""
    from app.commands import CommandError, UsageError

    try:
        yield
    except UsageError as error:
        raise typer.BadParameter(str(error)) from None
    except CommandError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def main() -> None:
    """The program's entry."""
    cli()
