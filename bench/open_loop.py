"""An open loop: requests leave at their intended times, and a late one counts from when it should have left."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

from bench.servers import RunningPeer

CONNECTIONS = 64
LATE_SECONDS = 10


@dataclass(frozen=True)
class OpenLoop:
    """Latencies in milliseconds, from the intended time to the last byte."""

    rate: float
    seconds: float
    requests: int
    wrong: int
    p50: float
    p95: float
    p99: float


class Connection(asyncio.Protocol):
    """One request at a time; `Client.answered` gets its intended time and whether the answer is right."""

    def __init__(self, client: "Client") -> None:
        self.client = client
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._intended: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass

    def send(self, request: bytes, intended: float) -> None:
        assert self.transport
        self._intended = intended
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head = bytes(self._buffer[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._buffer) >= end + length:
            body = bytes(self._buffer[end:])
            self._buffer.clear()
            self._done(head.startswith(b"http/1.1 200") and b'"errors":[{' not in body and b'"data":null' not in body)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._intended is not None:
            self._done(False)

    def _done(self, right: bool) -> None:
        assert self._intended is not None
        intended, self._intended = self._intended, None
        self.client.answered(self, intended, right)


class Client:
    """Free connections and the intended times of waiting requests; one of the two is empty."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self.requests = requests
        self.free: deque[Connection] = deque()
        self.waiting: deque[float] = deque()
        self.latencies: list[float] = []
        self.wrong = 0
        self._clock = asyncio.get_running_loop().time

    def due(self, intended: float) -> None:
        if self.free:
            self.free.popleft().send(next(self.requests), intended)
        else:
            self.waiting.append(intended)

    def answered(self, connection: Connection, intended: float, right: bool) -> None:
        self.latencies.append((self._clock() - intended) * 1000)
        self.wrong += not right
        if connection.transport is None or connection.transport.is_closing():
            return
        if self.waiting:
            connection.send(next(self.requests), self.waiting.popleft())
        else:
            self.free.append(connection)


def open_loop(server: RunningPeer, requests: Path, rate: float, seconds: float) -> OpenLoop:
    """Blocks. A request without an answer `LATE_SECONDS` after the end is wrong, with that time as its latency."""
    return uvloop.run(_open_loop(server, requests, rate, seconds))


async def _open_loop(server: RunningPeer, requests: Path, rate: float, seconds: float) -> OpenLoop:
    loop, address = asyncio.get_running_loop(), urlsplit(server.url)
    client = Client(cycle([_request(address.netloc, address.path, line) for line in requests.open()]))
    host, port = str(address.hostname), address.port or 80
    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: Connection(client), host, port)
        client.free.append(connection)
    total, start = round(rate * seconds), loop.time() + 0.1
    for number in range(total):
        intended = start + number / rate
        if (wait := intended - loop.time()) > 0:
            await asyncio.sleep(wait)
        client.due(intended)
    deadline = loop.time() + LATE_SECONDS
    while len(client.latencies) < total and loop.time() < deadline:
        await asyncio.sleep(0.05)
    late = total - len(client.latencies)
    found = sorted([*client.latencies, *[LATE_SECONDS * 1000.0] * late])
    return OpenLoop(rate, seconds, total, client.wrong + late, *(found[int(total * p)] for p in (0.5, 0.95, 0.99)))


def _request(host: str, path: str, line: str) -> bytes:
    token, body = line.rstrip("\n").split("\t", 1)
    headers = {
        "Host": host,
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Content-Length": str(len(body.encode())),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n{body}".encode()
