"""Thousands of subscribers in one process: graphql-transport-ws with as little as the protocol needs.

A client library would cost more CPU than the server that is measured. The servers here never fragment a frame, and a
client's mask (RFC 6455 §5.3) may be zero, which leaves the payload as it is.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, cast
from urllib.parse import urlsplit

CONCURRENT_HANDSHAKES = 100
CATCH_UP_SECONDS = 60
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\nAuthorization: Bearer {token}\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
ACK = b'{"type":"connection_ack"'

OnEvent = Callable[["Subscriber", bytes], None]


class Subscriber(asyncio.Protocol):
    """One websocket with one subscription; `on_event` gets the bytes of every `next` frame."""

    def __init__(self, path: str, host: str, token: str, subscribe: dict[str, Any], on_event: OnEvent) -> None:
        self._path, self._host, self._token = path, host, token
        self.payload, self._on_event = subscribe, on_event
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
        for opcode, payload in self._frames():
            self._receive(opcode, payload)

    def _upgrade(self) -> bool:
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self._fail(head.decode(errors="replace"))
            return False
        self._buffer, self._upgraded = bytearray(rest), True
        self._send({"type": "connection_init", "payload": {"Authorization": f"Bearer {self._token}"}})
        return True

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """Takes the complete frames out of the buffer: opcode and payload."""
        while len(self._buffer) >= 2:
            length, begin = self._buffer[1] & 0x7F, 2
            if length > 125:
                begin = 4 if length == 126 else 10
                length = int.from_bytes(self._buffer[2:begin], "big")
            if len(self._buffer) < begin + length:
                return
            opcode, payload = self._buffer[0] & 0xF, bytes(self._buffer[begin : begin + length])
            del self._buffer[: begin + length]
            yield opcode, payload

    def _receive(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._write(PONG, payload)
        elif opcode != TEXT:
            return
        elif payload.startswith(ACK) or b'"connection_ack"' in payload[:60]:
            self._send({"id": "1", "type": "subscribe", "payload": self.payload})
        elif b'"CaughtUp"' in payload and not self.caught_up.done():
            self.caught_up.set_result(None)
        elif b'"errors"' in payload or b'"type":"error"' in payload[:60]:
            self._fail(payload.decode())
        else:
            self._on_event(self, payload)

    def _send(self, message: dict[str, Any]) -> None:
        self._write(TEXT, json.dumps(message, separators=(",", ":")).encode())

    def _write(self, opcode: int, payload: bytes) -> None:
        assert self.transport
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
        self.transport.write(bytes([0x80 | opcode]) + length + bytes(4) + payload)

    def _fail(self, reason: str) -> None:
        if not self.caught_up.done():
            self.caught_up.set_exception(RuntimeError(reason[:500]))
        elif self.transport:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._fail("the connection was closed")


class Subscribers:
    """Subscribers of one server."""

    def __init__(self, url: str, on_event: OnEvent) -> None:
        address = urlsplit(url)
        self._host, self._port, self._path = str(address.hostname), address.port or 80, address.path
        self._on_event = on_event
        self.connected: list[Subscriber] = []

    async def connect(
        self, subscriptions: list[tuple[str, dict[str, Any]]], concurrent: int = CONCURRENT_HANDSHAKES
    ) -> None:
        """Opens one subscriber per (token, subscribe payload); returns when all have received CaughtUp."""
        for start in range(0, len(subscriptions), concurrent):
            batch = await asyncio.gather(*(self._open(*one) for one in subscriptions[start : start + concurrent]))
            async with asyncio.timeout(CATCH_UP_SECONDS):
                await asyncio.gather(*(one.caught_up for one in batch))
            self.connected += batch

    async def _open(self, token: str, subscribe: dict[str, Any]) -> Subscriber:
        loop, host = asyncio.get_running_loop(), f"{self._host}:{self._port}"
        _, subscriber = await loop.create_connection(
            lambda: Subscriber(self._path, host, token, subscribe, self._on_event), self._host, self._port
        )
        return subscriber

    def disconnect(self) -> None:
        """Resets every connection."""
        for one in self.connected:
            if one.transport:
                one.transport.abort()

    @property
    def lost(self) -> int:
        """How many connections have ended."""
        return sum(one.lost for one in self.connected)
