"""One uvicorn process, as this program wants it: one worker, bounded frames, a bounded goodbye."""

import gc
from collections.abc import Awaitable, Callable
from socket import socket

import uvicorn
from starlette.applications import Starlette

from app.settings import Settings

Ready = Callable[[str], Awaitable[None]]


class Server(uvicorn.Server):
    """Calls `ready` with its address once it accepts connections, and lets the application end what is endless."""

    def __init__(self, app: Starlette, settings: Settings, ready: Ready | None = None) -> None:
        super().__init__(config_for(app, settings))
        self.app, self.ready = app, ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.ready:
            await self.ready(self.address())

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Event streams are requests to uvicorn, which would wait for them."""
        self.app.state.stop_streams()
        await super().shutdown(sockets)

    def address(self) -> str:
        """Where a client on this machine finds the server; the port is the real one when 0 was asked for."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return f"http://{here}:{port}"


def serve(app: Starlette, settings: Settings, ready: Ready | None = None) -> None:
    """Serves until SIGINT or SIGTERM, which are raised again afterwards; exits if it cannot start."""
    # What was imported lives as long as the process: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    Server(app, settings, ready).run()


def config_for(app: Starlette, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves one of our applications."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        lifespan="on",
        server_header=False,
        proxy_headers=False,  # nothing here asks for a client's address, and each socket would keep the layer
        access_log=False,
        log_config=None,
    )
