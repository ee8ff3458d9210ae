"""`colloquy run` and `colloquy serve`."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from app import fork_server, telemetry
from app.commands import DAY_SECONDS, DEMO_OWNER, direct_url, load_settings, reporting
from app.settings import Settings

# Serving needs neither Alembic nor the demo: a server that was killed is back sooner without them.


def run() -> None:
    """Start the database if none is named, migrate, serve until stopped."""
    with _sigterm_unwinds():
        from app.commands.database import available_database, upgrade

        with available_database(load_settings()) as settings:
            upgrade(settings)
            _serve(settings, welcome=True)


def serve(*, migrate_first: bool, processes: int | None = None) -> None:
    """Serve until stopped, with the database of the settings; `processes` replaces WORKERS."""
    with _sigterm_unwinds():
        settings = load_settings()
        if processes is not None:
            settings = settings.model_copy(update={"workers": processes})
        direct_url(settings)
        if migrate_first:
            from app.commands.database import upgrade

            upgrade(settings)
        _serve(settings)


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """SIGTERM unwinds the stack as Ctrl-C does, so that an embedded database stops too."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    yield


def _serve(settings: Settings, *, welcome: bool = False) -> None:
    async def greet(address: str) -> None:
        if settings.jwt_secret and not settings.production and await _is_empty(settings):
            from app.commands.demo import fill_server

            print("The database is empty: three example conversations are added.", file=sys.stderr)
            with telemetry.quiet_requests():
                await fill_server(address, settings)
        _print_welcome(settings, address)

    telemetry.set_up_logs(settings)
    if settings.workers > 1:
        with suppress(OSError):  # which `workers.serve` reports
            fork_server.start()  # it imports the program while this process imports uvicorn
        from app import workers

        workers.serve(settings, (lambda address: asyncio.run(greet(address))) if welcome else None)
        return
    from app.main import create_app  # with workers this process does without it
    from app.server import serve as serve_app
    from app.tracing import NotInstalled
    from app.transport import InvalidManifests

    with reporting(InvalidManifests, NotInstalled):
        app = create_app(settings)
    serve_app(app, settings, greet if welcome else None)


async def _is_empty(settings: Settings) -> bool:
    from app.commands.database import maintenance_database
    from app.db.operations import check

    db = maintenance_database(settings)
    try:
        return await check.is_empty(db)
    finally:
        await db.close()


def _print_welcome(settings: Settings, address: str) -> None:
    lines = [
        f"  GraphQL    {address}/graphql{'   (GraphiQL in a browser)' if settings.graphiql else ''}",
        f"  Health     {address}/readyz   Metrics {address}/metrics",
    ]
    if not settings.production:
        lines = ["", f"  A sidebar  {address}   (in a browser: read, write, watch an answer come)", *lines]
        if settings.jwt_secret:
            from app.auth import mint

            token = mint(settings, sub=DEMO_OWNER, ttl_seconds=DAY_SECONDS)
            lines += [f"  A token for the owner {DEMO_OWNER!r}, valid for a day:", "", token]
    print(*lines, "", "  Ctrl-C stops everything; the data stays.", "", sep="\n", flush=True)
