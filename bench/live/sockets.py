"""Thousands of subscribers in one process: graphql-transport-ws with as little as the protocol needs.

A client library would cost more than the server that is measured. Frames are never fragmented by the servers
here, and a client's mask (RFC 6455 §5.3) may be zero, which leaves its bytes as they are.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import urlsplit

AT_ONCE = 100  # handshakes
PATIENCE_SECONDS = 60
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\nAuthorization: Bearer {token}\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
ACK = b'{"type":"connection_ack"'

Heard = Callable[["Subscriber", bytes], None]


class Subscriber(asyncio.Protocol):
    """One socket with one subscription; `heard` gets every `next` frame as it came."""

    def __init__(self, path: str, host: str, token: str, subscribe: dict[str, Any], heard: Heard) -> None:
        self._path, self._host, self._token = path, host, token
        self.payload, self._heard = subscribe, heard
        self._buffer = bytearray()
        self._upgraded = False
        self.transport: asyncio.Transport | None = None
        self.caught_up = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        head = UPGRADE.format(path=self._path, host=self._host, token=self._token)
        self.transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded and not self._upgrade():
            return
        for kind, payload in self._frames():
            self._take(kind, payload)

    def _upgrade(self) -> bool:
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self._fail(head.decode(errors="replace"))
            return False
        self._buffer, self._upgraded = bytearray(rest), True
        self._say({"type": "connection_init", "payload": {"Authorization": f"Bearer {self._token}"}})
        return True

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """The whole frames in the buffer."""
        while len(self._buffer) >= 2:
            length, begin = self._buffer[1] & 0x7F, 2
            if length > 125:
                begin = 4 if length == 126 else 10
                length = int.from_bytes(self._buffer[2:begin], "big")
            if len(self._buffer) < begin + length:
                return
            kind, payload = self._buffer[0] & 0xF, bytes(self._buffer[begin : begin + length])
            del self._buffer[: begin + length]
            yield kind, payload

    def _take(self, kind: int, payload: bytes) -> None:
        if kind == PING:
            self._frame(PONG, payload)
        elif kind != TEXT:
            return
        elif payload.startswith(ACK) or b'"connection_ack"' in payload[:60]:
            self._say({"id": "1", "type": "subscribe", "payload": self.payload})
        elif b'"CaughtUp"' in payload and not self.caught_up.done():
            self.caught_up.set_result(None)
        elif b'"errors"' in payload or b'"type":"error"' in payload[:60]:
            self._fail(payload.decode())
        else:
            self._heard(self, payload)

    def _say(self, frame: dict[str, Any]) -> None:
        self._frame(TEXT, json.dumps(frame, separators=(",", ":")).encode())

    def _frame(self, kind: int, payload: bytes) -> None:
        assert self.transport
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
        self.transport.write(bytes([0x80 | kind]) + length + bytes(4) + payload)

    def _fail(self, words: str) -> None:
        if not self.caught_up.done():
            self.caught_up.set_exception(RuntimeError(words[:500]))
        elif self.transport:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._fail("the connection was closed")


class Crowd:
    """Subscribers of one server, opened a hundred at a time."""

    def __init__(self, url: str, heard: Heard) -> None:
        place = urlsplit(url)
        self._host, self._port, self._path = str(place.hostname), place.port or 80, place.path
        self._heard = heard
        self.subscribers: list[Subscriber] = []

    async def join(self, subscriptions: list[tuple[str, dict[str, Any]]], at_once: int = AT_ONCE) -> None:
        """One subscriber per (token, subscribe payload); returns when all are caught up."""
        for start in range(0, len(subscriptions), at_once):
            batch = await asyncio.gather(*(self._open(*one) for one in subscriptions[start : start + at_once]))
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(one.caught_up for one in batch))
            self.subscribers += batch

    async def _open(self, token: str, subscribe: dict[str, Any]) -> Subscriber:
        loop, host = asyncio.get_running_loop(), f"{self._host}:{self._port}"
        _, made = await loop.create_connection(
            lambda: Subscriber(self._path, host, token, subscribe, self._heard), self._host, self._port
        )
        return made

    def leave(self) -> None:
        """Cuts them all."""
        for one in self.subscribers:
            if one.transport:
                one.transport.abort()

    @property
    def lost(self) -> int:
        return sum(one.lost for one in self.subscribers)
