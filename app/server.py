"""The uvicorn server of one process: bounded headers and frames, bounded shutdown."""

import gc
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.settings import Settings
from app.transport.websocket_protocol import Keepalive, SocketProtocol

Ready = Callable[[str], Awaitable[None]]
log = logging.getLogger("uvicorn.error")

START_FAILED = 3  # uvicorn's exit code
HUNG_SECONDS = 30
"""A worker that answers its supervisor later is replaced. A start takes more than uvicorn's 5 s on a busy machine: each
worker would be killed before it serves, again and again.
"""
MAX_HEAD_BYTES = 32_768
"""The largest request line with headers: as much as nginx accepts. uvicorn itself has no limit."""
LINGER_SECONDS = 1.0
IDLE_SECONDS = 620
"""A connection is closed after so long without a request. A request that is sent while it is closed is lost, and the
sender cannot know whether it was executed; so clients and proxies must close first: nginx after 60 s, the load balancer
of Google Cloud after 600.
"""
PING_SECONDS = 20.0
"""A client that sends nothing for as long is pinged; after another time as long it is lost."""
TOO_LARGE = b"The request line and the headers are longer than %d bytes.\n" % MAX_HEAD_BYTES
TOO_LARGE_RESPONSE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(TOO_LARGE), TOO_LARGE)
)


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 that refuses a head of more than MAX_HEAD_BYTES with 431, before its end if it comes in pieces."""

    _too_large = False
    _chunk_bytes = 0  # of the newest chunk
    _later_bytes = -1  # of the head, in chunks after the one in which it began; -1 if there are none

    def data_received(self, data: bytes) -> None:
        if self._too_large:
            return
        self._chunk_bytes, before = len(data), self.scope
        super().data_received(data)
        if self.scope is None or "method" in self.scope:  # which uvicorn sets at the end of the head
            self._later_bytes = -1
            return
        self._later_bytes = self._later_bytes + len(data) if self.scope is before else 0
        if self._later_bytes > MAX_HEAD_BYTES:
            self._too_large = True
            self.send_400_response("")

    def shutdown(self) -> None:
        """Begins the shutdown of one connection; uvicorn waits for its request, and an event stream never ends."""
        self.config.loaded_app.state.stop_streams()
        super().shutdown()

    def on_headers_complete(self) -> None:
        # Nearly all heads come whole in one small chunk, and need not be measured.
        if (self._later_bytes >= 0 or self._chunk_bytes > MAX_HEAD_BYTES) and self._head_bytes() > MAX_HEAD_BYTES:
            self._too_large = True
            raise OverflowError  # the parser stops, and uvicorn refuses the request
        super().on_headers_complete()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def send_400_response(self, msg: str) -> None:
        """Refuses what cannot be parsed, and ends the connection."""
        if not self._too_large:
            super().send_400_response(msg)
            return
        self.transport.write(TOO_LARGE_RESPONSE)
        self.transport.write_eof()
        # A client that still sends loses the response if the connection is closed at once.
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


class Server(uvicorn.Server):
    """Calls `ready` with its address when it accepts connections."""

    def __init__(self, app: Starlette, settings: Settings, ready: Ready | None = None) -> None:
        super().__init__(config_for(app, settings))
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.ready:
            await self.ready(self.address())

    def address(self) -> str:
        """The address for a client on this machine, with the real port when the setting is 0."""
        return address_of(self.servers[0].sockets[0])


def address_of(listener: Any) -> str:
    """The address of a listening socket for a client on this machine."""
    host, port = listener.getsockname()[:2]
    here = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{here}:{port}"


def serve(app: Starlette, settings: Settings, ready: Ready | None = None) -> None:
    """Serve until SIGINT or SIGTERM, which are raised again afterwards; exit with 3 if the start fails."""
    keep_imported_objects()
    Server(app, settings, ready).run(sockets=[_dual_stack(settings)] if settings.host == "::" else None)


def keep_imported_objects() -> None:
    """Imported objects live as long as the process: the garbage collector need not traverse them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _dual_stack(settings: Settings) -> socket.socket:
    """A socket for IPv6 and IPv4: asyncio, which uvicorn leaves it to, restricts one on `::` to IPv6."""
    try:
        both = socket.create_server((settings.host, settings.port), family=socket.AF_INET6, dualstack_ipv6=True)
    except (OSError, ValueError) as error:  # ValueError: this system has no such sockets
        log.error("HOST=::, PORT=%d: %s; HOST=0.0.0.0 listens on IPv4 alone", settings.port, error)
        sys.exit(START_FAILED)
    log.info("Listening on [::]:%d, for IPv4 too", both.getsockname()[1])
    return both


def config_for(app: Starlette | Callable[[], Starlette], settings: Settings) -> uvicorn.Config:
    """The configuration of uvicorn; with several workers `app` is a function that makes the application of one."""
    return uvicorn.Config(
        app,
        factory=not isinstance(app, Starlette),
        workers=settings.workers,
        timeout_worker_healthcheck=HUNG_SECONDS,
        host=settings.host,
        port=settings.port,
        http=BoundedProtocol,
        ws=partial(SocketProtocol, keepalive=Keepalive(PING_SECONDS)),  # type: ignore[arg-type]  # it is only called
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        lifespan="on",
        server_header=False,
        proxy_headers=False,  # no code reads a client's address, and each WebSocket would keep the middleware
        access_log=False,
        log_config=None,
    )
