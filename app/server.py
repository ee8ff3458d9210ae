"""The uvicorn server of one process: one worker, bounded frames, bounded shutdown."""

import gc
from collections.abc import Awaitable, Callable
from socket import socket

import uvicorn
from starlette.applications import Starlette

from app.settings import Settings

Ready = Callable[[str], Awaitable[None]]


class Server(uvicorn.Server):
    """Calls `ready` with its address when it accepts connections, and ends event streams before a shutdown."""

    def __init__(self, app: Starlette, settings: Settings, ready: Ready | None = None) -> None:
        super().__init__(config_for(app, settings))
        self.app, self.ready = app, ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.ready:
            await self.ready(self.address())

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """uvicorn waits for running requests, and an event stream is one that does not end by itself."""
        self.app.state.stop_streams()
        await super().shutdown(sockets)

    def address(self) -> str:
        """The address for a client on this machine, with the real port when the setting is 0."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return f"http://{here}:{port}"


def serve(app: Starlette, settings: Settings, ready: Ready | None = None) -> None:
    """Serve until SIGINT or SIGTERM, which are raised again afterwards; exit with 3 if the start fails."""
    # Imported objects live as long as the process: the garbage collector need not traverse them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    Server(app, settings, ready).run()


def config_for(app: Starlette, settings: Settings) -> uvicorn.Config:
    """The configuration of uvicorn."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        lifespan="on",
        server_header=False,
        proxy_headers=False,  # no code reads a client's address, and each WebSocket would keep the middleware
        access_log=False,
        log_config=None,
    )
