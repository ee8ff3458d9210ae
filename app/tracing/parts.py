"""The parts of the application that tracing replaces, as they are without it: a request passes no tracing code."""

from typing import Any

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from app.db.access.slow_statements import SlowStatements
from app.db.access.transaction import OnCommit
from app.live.bus import Bus, Subject
from app.live.channel import Channel
from app.live.reader import Reader
from app.settings import Settings
from app.transport import Operations


class NotInstalled(Exception):
    """The settings ask for OpenTelemetry, and its packages are not there."""


class Parts:
    """How the application makes what tracing observes."""

    operations: type[Operations] | Any = Operations
    statements: type[SlowStatements] | Any = SlowStatements

    def endpoint(self, app: ASGIApp, route: str) -> ASGIApp:
        """The application of a URL; `route` is its path."""
        return app

    def channel(self, subject: Subject, reader: Reader[Any]) -> Channel[Any]:
        """The channel of a subject."""
        return Channel(reader)

    def on_commit(self, bus: Bus) -> OnCommit:
        """What receives the changes of each commit."""
        return bus.publish

    def start(self, registry: CollectorRegistry) -> None:
        """In the event loop, before the first request."""

    async def stop(self) -> None:
        """After the last request."""


def parts_of(settings: Settings) -> Parts:
    """The parts for these settings. Raises NotInstalled."""
    if not settings.opentelemetry:
        return Parts()
    try:
        from app.tracing.traced_parts import TracedParts
    except ImportError as error:
        raise NotInstalled(f"OPENTELEMETRY: {error}; install colloquy-server[otel]") from error
    return TracedParts(settings)
