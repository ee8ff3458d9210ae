"""A real server on a free port, in the test's own loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from app.auth import mint
from app.live.tuning import LiveTuning
from app.main import create_app
from app.server import Server
from app.settings import Settings
from tests.support.users import User

READY = {"status": "ready", "reasons": [], "degraded": []}
SECRET = "a secret of at least thirty-two bytes"


def settings_for(database_url: str, **changes: Any) -> Settings:
    """The settings of a test server."""
    given = {"database_url": database_url, "jwt_secret": SECRET, "pool_size": 8, "shutdown_seconds": 3}
    return Settings(**{**given, **changes})


class Serving:
    """A running server: its address, its settings, the people who may come in."""

    def __init__(self, url: str, settings: Settings, http: httpx2.AsyncClient) -> None:
        self.url, self.settings, self.http = url, settings, http

    def user(self, name: str, **claims: Any) -> User:
        """Somebody with a token of their own."""
        token = mint(self.settings, sub=name, ttl_seconds=3600, **claims)
        return User(name, self.url, token, self.http)

    async def ready(self) -> None:
        """Returns once it can do all of its work, wake-ups included."""
        while (await self.http.get(f"{self.url}/readyz")).json() != READY:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(settings: Settings, tuning: LiveTuning | None = None) -> AsyncIterator[Serving]:
    """The application of these settings on a free port of the loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = Server(create_app(settings, tuning), settings)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            async with httpx2.AsyncClient(timeout=30) as http:
                yield Serving(f"http://127.0.0.1:{port}", settings, http)
        finally:
            server.should_exit = True
            await running
