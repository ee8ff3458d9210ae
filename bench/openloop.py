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

from bench.servers import Running

CONNECTIONS = 64
PATIENCE_SECONDS = 10


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
    """One request at a time; `answered` gets its intended time and whether all was well."""

    def __init__(self, client: "Client") -> None:
        self.client = client
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._intended: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not registered as such

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

    def _done(self, well: bool) -> None:
        assert self._intended is not None
        intended, self._intended = self._intended, None
        self.client.answered(self, intended, well)


class Client:
    """Free connections and waiting intended times; one of the two is empty."""

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

    def answered(self, connection: Connection, intended: float, well: bool) -> None:
        self.latencies.append((self._clock() - intended) * 1000)
        self.wrong += not well
        if connection.transport is None or connection.transport.is_closing():
            return
        if self.waiting:
            connection.send(next(self.requests), self.waiting.popleft())
        else:
            self.free.append(connection)


def open_loop(server: Running, requests: Path, rate: float, seconds: float) -> OpenLoop:
    """Blocks. A request that is not answered `PATIENCE_SECONDS` after the end is wrong, and as late as that."""
    return uvloop.run(_open_loop(server, requests, rate, seconds))


async def _open_loop(server: Running, requests: Path, rate: float, seconds: float) -> OpenLoop:
    loop, place = asyncio.get_running_loop(), urlsplit(server.url)
    client = Client(cycle([_request(place.netloc, place.path, line) for line in requests.open()]))
    for _ in range(CONNECTIONS):
        _, made = await loop.create_connection(lambda: Connection(client), place.hostname, place.port)
        client.free.append(made)
    total, start = round(rate * seconds), loop.time() + 0.1
    for number in range(total):
        intended = start + number / rate
        if (wait := intended - loop.time()) > 0:
            await asyncio.sleep(wait)
        client.due(intended)
    deadline = loop.time() + PATIENCE_SECONDS
    while len(client.latencies) < total and loop.time() < deadline:
        await asyncio.sleep(0.05)
    late = total - len(client.latencies)
    found = sorted([*client.latencies, *[PATIENCE_SECONDS * 1000.0] * late])
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
