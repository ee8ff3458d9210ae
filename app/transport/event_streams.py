"""HTTP responses that send the results of an operation one by one: heartbeats, slow readers, expiry, draining."""

import asyncio
from collections.abc import Awaitable
from time import monotonic, time
from typing import Any, ClassVar

from app.auth import Viewer
from app.telemetry import Request
from app.transport.connection import SEND_TIMEOUT_SECONDS, Connection, run_until_blocked
from app.transport.deadline import MAX_TIMER_SECONDS
from app.transport.operation_task import OperationTask
from app.transport.operations import Operations
from app.transport.parameters import Parameters

HEADERS = [
    (b"connection", b"close"),  # dropping unread bytes drops the connection, which must not serve other requests
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
    (b"cache-control", b"no-store, no-transform"),  # and so would proxies that compress
    (b"vary", b"accept"),
]


class EventStreams:
    """The open responses of a server, of every format.

    A heartbeat every `heartbeat` seconds keeps proxies from closing an idle connection. A response that has sent a
    result in the second half of that time needs none. `send_timeout` is how long a client may leave a result unread, in
    seconds, at most one heartbeat more.
    """

    def __init__(
        self, operations: Operations, *, heartbeat: float = 12.0, send_timeout: float = SEND_TIMEOUT_SECONDS
    ) -> None:
        self.operations = operations
        self.send_timeout = send_timeout
        self._heartbeat = heartbeat
        self._streams: set[EventStream] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False

    @property
    def open_streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    def stop(self) -> None:
        """Ends all streams, and those to come: a server that stops would wait for them."""
        self._stopping = True
        for stream in list(self._streams):
            stream.stop()

    async def serve(self, stream: "EventStream", parameters: Parameters, **context_values: str | None) -> None:
        """Sends the whole response to one operation; `context_values` are passed to `Operations.context`."""
        self._streams.add(stream)
        self._timer = self._timer or self._schedule()
        try:
            if self._stopping:
                stream.stop()
            await stream.serve(parameters, context_values)
        finally:
            self._streams.discard(stream)

    def _schedule(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._heartbeat, self._check_streams)

    def _check_streams(self) -> None:
        """One timer for all streams: aborts those that the client does not read, sends a heartbeat on the others."""
        now = monotonic()
        for stream in list(self._streams):
            if stream.connection.blocked_since < now - self.send_timeout:
                stream.abort()
            elif stream.wrote_at < now - self._heartbeat / 2:
                stream.send_heartbeat()
        self._timer = self._schedule() if self._streams else None


class EventStream(OperationTask):
    """One response: a task waits for its end, another one runs while there is work. A subclass is its format."""

    content_type: ClassVar[bytes]
    opening: ClassVar[bytes]
    """Sent at once: some clients see no headers before the first byte of the body."""
    heartbeat: ClassVar[bytes]

    def __init__(
        self, streams: EventStreams, request: Request, started: float, viewer: Viewer, connection: Connection
    ) -> None:
        super().__init__(streams.operations, request, started)
        self._streams, self._viewer = streams, viewer
        self._over: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._heartbeat: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self.connection = connection
        self.wrote_at = monotonic()
        """When the newest text was sent, in monotonic seconds."""

    async def serve(self, parameters: Parameters, context_values: dict[str, Any]) -> None:
        """Sends the whole response."""
        disconnect = asyncio.create_task(self._wait_for_disconnect())
        try:
            own = [(b"content-type", self.content_type), (b"x-request-id", self._request.id.encode())]
            await self.connection.send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *own]})
            await self.connection.send({"type": "http.response.body", "body": self.opening, "more_body": True})
            self._check_expiry()
            self.run(self.start(parameters, self._viewer, **context_values))
            last = await self._over
        finally:
            await self._clean_up(disconnect)
        await self.connection.send({"type": "http.response.body", "body": last})
        asyncio.get_running_loop().call_later(self._streams.send_timeout, self.connection.abort_if_unread)

    async def _clean_up(self, disconnect: asyncio.Task[None]) -> None:
        """Cancels all tasks and waits until they have ended."""
        self.end()
        if self._expiry is not None:
            self._expiry.cancel()
        tasks = [task for task in (disconnect, self.task, self._heartbeat) if task is not None]
        self.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def end(self, last: bytes = b"") -> None:
        """Sends `last` and nothing more."""
        if not self._over.done():
            self._over.set_result(last)

    def stop(self) -> None:
        """The server stops: it does not wait for a client that does not read."""
        self.abort() if self.connection.is_sending else self.end(self.interruption("UNAVAILABLE", "The server stops."))

    def abort(self) -> None:
        """Drops the connection to a client that does not read."""
        self.connection.disconnected = True
        self.connection.abort_if_unread()
        self.end()

    def send_heartbeat(self) -> None:
        """Sends a heartbeat, unless an event waits to be read anyway."""
        if not self.connection.is_sending and (rest := run_until_blocked(self.write(self.heartbeat))) is not None:
            self._heartbeat = asyncio.create_task(_finish(rest))

    def interruption(self, code: str, message: str) -> bytes:
        """What ends a response whose operation goes on, so that its client resumes."""
        raise NotImplementedError

    def on_end(self) -> None:
        self.end()

    async def write(self, text: bytes) -> None:
        """Sends text unless the stream has ended."""
        if not self._over.done():
            self.wrote_at = monotonic()
            await self.connection.send({"type": "http.response.body", "body": text, "more_body": True})

    def _check_expiry(self) -> None:
        """Ends the stream once its token has expired."""
        left = self._viewer.expires_at - time()
        if left <= 0:
            self.end(self.interruption("UNAUTHENTICATED", "The token has expired."))
        else:
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(min(left, MAX_TIMER_SECONDS), self._check_expiry)

    async def _wait_for_disconnect(self) -> None:
        while (await self.connection.receive())["type"] != "http.disconnect":
            pass
        self.connection.disconnected = True
        self.end()


async def _finish(rest: Awaitable[None]) -> None:
    await rest
