"""A real server on a free port, in the caller's process and event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import httpx2

from app.live.tuning import LiveTuning
from app.main import create_app
from app.server import Server
from app.settings import Settings
from harness.running_server import RunningServer


class InProcessServer(RunningServer):
    """A running server and its settings."""

    def __init__(self, url: str, http: httpx2.AsyncClient, settings: Settings) -> None:
        super().__init__(url, http)
        self.settings = settings

    @classmethod
    @asynccontextmanager
    async def serving(cls, settings: Settings, tuning: LiveTuning | None = None) -> AsyncIterator[Self]:
        """The application of these settings on a free port of the loopback."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            # asyncio sets this only where the server binds by itself; without it each response is 40 ms late.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            port = listener.getsockname()[1]
            server = Server(create_app(settings, tuning), settings)
            running = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            try:
                async with httpx2.AsyncClient(timeout=30) as http:
                    yield cls(f"http://127.0.0.1:{port}", http, settings)
            finally:
                server.should_exit = True
                await running
