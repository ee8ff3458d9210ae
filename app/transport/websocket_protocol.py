"""uvicorn's WebSocket protocol with less for each socket: less memory, no timer of its own, no log line, short sends.

A server holds thousands of sockets that wait. What uvicorn keeps of each handshake is released, asyncio's queue and
event give way to smaller ones, and one timer pings all sockets that have been silent.
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

SENDS_TEXT = "colloquy.send_text"
"""The ASGI extension of a socket's scope: `send_text` of its protocol."""
PING = b"\x89\x00"  # RFC 6455 §5.5.2; any frame of the client answers it
TEXT = 0x81
MAX_SENDING_CHECKS = 3

log = logging.getLogger("uvicorn.error.websocket")
log.setLevel(logging.WARNING)  # two lines for each socket would cost a seventh of its handshake; HTTP has none either


class Keepalive:
    """Checks every socket once in `interval` seconds, with one timer; sockets are spread over the interval."""

    PARTS = 20

    def __init__(self, interval: float) -> None:
        self._seconds = interval / self.PARTS
        self._parts: list[set[SocketProtocol]] = [set() for _ in range(self.PARTS)]
        self._newest = self._checked = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, socket: "SocketProtocol") -> None:
        """The socket's first check is within `interval` seconds."""
        self._newest = (self._newest + 1) % self.PARTS
        socket.part = self._parts[self._newest]
        socket.part.add(socket)
        self._timer = self._timer or self._schedule()

    def _schedule(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._seconds, self._check)

    def _check(self) -> None:
        self._checked = (self._checked + 1) % self.PARTS
        for socket in list(self._parts[self._checked]):
            socket.check()
        self._timer = self._schedule() if any(self._parts) else None


class SocketProtocol(WebSocketsSansIOProtocol):
    """One socket. It is pinged after an interval in which its client has sent nothing, and failed after another one.

    A socket that only sends is pinged in every fourth interval: the kernel notices a lost client too, but later.
    """

    # In the dictionary of uvicorn's attributes they would be the ones for which it doubles its size.
    __slots__ = ("_checks_while_sending", "_keepalive", "_pinged", "_received", "_sent", "part")

    def __init__(self, *, keepalive: Keepalive, **options: Any) -> None:
        super().__init__(**options)
        self.logger = self.conn.logger = log
        self.queue, self.writable = Inbox(), Latch()  # type: ignore[assignment]  # what uvicorn uses of them
        self.part = set[SocketProtocol]()
        self._keepalive = keepalive
        self._received = self._sent = self._pinged = False
        self._checks_while_sending = 0

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.handshake_complete:  # else the handshake was refused
            self.scope["extensions"][SENDS_TEXT] = self.send_text  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._received = True
        super().data_received(data)

    def send_text(self, text: bytes) -> bool:
        """Sends a message; False if the client has to read first, or the socket closes: then `send` does what is right.

        `text` is UTF-8. Frames are sent unfragmented, without mask and compression (RFC 6455 §5.2).
        """
        if not self.writable.is_set() or self.close_sent or self.disconnected or self.conn.state is not State.OPEN:
            return False
        self.transport.write(frame_head(len(text)) + text)
        self._sent = True
        return True

    def start_keepalive(self) -> None:
        self.request.headers.clear()  # the suspended parser keeps the request
        del self.request, self.response
        self._keepalive.add(self)

    def stop_keepalive(self) -> None:
        self.part.discard(self)

    def check(self) -> None:
        """Sends a ping if the client has been silent, and fails the connection if it stays so."""
        if self.close_sent or self.transport.is_closing():
            return
        if self._received:
            self._received = self._pinged = False
            self._checks_while_sending = 0
        elif self._pinged:
            self.keepalive_timeout()
            return
        elif not self._sent or self._checks_while_sending == MAX_SENDING_CHECKS:
            self._pinged = True
            self.transport.write(PING)
        else:
            self._checks_while_sending += 1
        self._sent = False


def frame_head(size: int) -> bytes:
    """The head of an unmasked text frame (RFC 6455 §5.2)."""
    if size < 126:
        return bytes((TEXT, size))
    if size < 65_536:
        return bytes((TEXT, 126)) + size.to_bytes(2, "big")
    return bytes((TEXT, 127)) + size.to_bytes(8, "big")


class Inbox:
    """What uvicorn uses of `asyncio.Queue`, for one reader: an empty one takes 0.1 KB instead of 3."""

    __slots__ = ("_messages", "_waiter")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._waiter: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:
        self._messages.append(message)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def empty(self) -> bool:
        return not self._messages

    async def get(self) -> Any:
        while not self._messages:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._messages.pop(0)


class Latch:
    """What uvicorn uses of `asyncio.Event`, set at first: a future only while it is not set."""

    __slots__ = ("_opened",)

    def __init__(self) -> None:
        self._opened: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        return self._opened is None

    def clear(self) -> None:
        self._opened = self._opened or asyncio.get_running_loop().create_future()

    def set(self) -> None:
        if self._opened is not None:
            self._opened.set_result(None)
            self._opened = None

    async def wait(self) -> None:
        if self._opened is not None:
            await asyncio.shield(self._opened)
