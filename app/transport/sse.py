"""GraphQL over server-sent events, distinct connections mode
(https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md).

A request that is invalid as HTTP, or without a valid token, gets an HTTP error; all other errors are events of the
stream. Each live event has its cursor as `id`, and `Last-Event-ID` replaces the argument `after`, so the same request
sent again resumes the subscription. A stream that ends without `complete` (the server stops, the token has expired)
asks the client to resume.
"""

import asyncio
from collections.abc import Awaitable
from time import monotonic, perf_counter, time
from typing import Any

from graphql_compiled.engine import RequestError
from starlette.types import Receive, Scope, Send

from app.auth import Viewer, bearer
from app.errors import Refused
from app.telemetry import Request
from app.transport import json_codec
from app.transport.connection import SEND_TIMEOUT_SECONDS, Connection, run_until_blocked
from app.transport.deadline import MAX_TIMER_SECONDS
from app.transport.media_types import RESPONSE, preferred
from app.transport.operation_task import OperationTask
from app.transport.operations import OWNER_HEADER, Operations, header
from app.transport.parameters import Parameters
from app.transport.requests import Declined, Disconnected, read_parameters
from app.transport.responses import refusal

EVENT_STREAM = "text/event-stream"
COMPLETE = b"event: complete\ndata:\n\n"
HEARTBEAT = b":\n\n"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"connection", b"close"),  # dropping unread bytes drops the connection, which must not serve other requests
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
    (b"cache-control", b"no-store, no-transform"),  # and so would proxies that compress
    (b"vary", b"accept"),
]


class EventStreamEndpoint:
    """The ASGI application of one URL's event streams.

    `max_body` is in bytes. A comment every `heartbeat` seconds keeps proxies from closing an idle connection.
    `send_timeout` is how long a client may leave an event unread, in seconds, at most one heartbeat more.
    """

    def __init__(
        self,
        operations: Operations,
        *,
        max_body: int,
        heartbeat: float = 12.0,
        send_timeout: float = SEND_TIMEOUT_SECONDS,
    ) -> None:
        self.operations = operations
        self.send_timeout = send_timeout
        self._max_body, self._heartbeat = max_body, heartbeat
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, with an event stream if it is a valid request of a known viewer."""
        started = perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request = self.operations.begin(header(headers, b"traceparent"))
        try:
            viewer, parameters = await self.operations.deadline.run(self._read(scope, headers, receive))
        except Disconnected:
            return
        except Exception as failure:
            response = refusal(failure, RESPONSE, request)
            await response.send(RESPONSE, request, send)
            self.operations.record(None, response.outcome, started, EventStream.protocol)
            return
        stream = EventStream(self, request, started, viewer, Connection(receive, send))
        names = {"idempotency_key": b"idempotency-key", "resume_after": b"last-event-id"}
        await self._serve(stream, parameters, {name: header(headers, key) or None for name, key in names.items()})

    async def _read(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> tuple[Viewer, Parameters]:
        method = scope["method"]
        if method not in ("GET", "POST"):
            raise Declined(405, "An event stream is requested by POST, or by GET.", (b"allow", b"GET, POST"))
        if preferred(headers.get(b"accept", b"*/*"), (EVENT_STREAM,)) is None:
            raise Declined(406, f"This URL answers in {EVENT_STREAM}.")
        token = bearer(header(headers, b"authorization"))
        viewer = await self.operations.viewer(token, header(headers, OWNER_HEADER))
        parameters = await read_parameters(scope, headers, receive, self._max_body)
        if method == "GET" and self._is_mutation(viewer, parameters):
            raise Declined(405, "A mutation is sent by POST.", (b"allow", b"POST"))
        return viewer, parameters

    def _is_mutation(self, viewer: Viewer, parameters: Parameters) -> bool:
        try:
            return self.operations.prepare(parameters, viewer).kind == "mutation"
        except (RequestError, Refused):  # becomes an event of the stream
            return False

    async def _serve(self, stream: "EventStream", parameters: Parameters, context_values: dict[str, Any]) -> None:
        self._streams.add(stream)
        self._timer = self._timer or self._schedule()
        try:
            if self._stopping:
                stream.end()
            await stream.serve(parameters, context_values)
        finally:
            self._streams.discard(stream)

    def _schedule(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._heartbeat, self._check_streams)

    def _check_streams(self) -> None:
        """One timer for all streams: aborts those that the client does not read, sends a heartbeat on the others."""
        limit = monotonic() - self.send_timeout
        for stream in list(self._streams):
            if stream.connection.blocked_since < limit:
                stream.abort()
            else:
                stream.send_heartbeat()
        self._timer = self._schedule() if self._streams else None


class EventStream(OperationTask):
    """One SSE response: a task waits for its end, another one runs while there is work."""

    protocol = "sse"

    def __init__(
        self, endpoint: EventStreamEndpoint, request: Request, started: float, viewer: Viewer, connection: Connection
    ) -> None:
        super().__init__(endpoint.operations, request, started)
        self._endpoint, self._viewer = endpoint, viewer
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heartbeat: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self.connection = connection

    async def serve(self, parameters: Parameters, context_values: dict[str, Any]) -> None:
        """Sends the whole response."""
        disconnect = asyncio.create_task(self._wait_for_disconnect())
        try:
            request_id = (b"x-request-id", self._request.id.encode())
            await self.connection.send(
                {"type": "http.response.start", "status": 200, "headers": [*HEADERS, request_id]}
            )
            await self._write(HEARTBEAT)  # some clients see no headers before the first byte of the body
            self._check_expiry()
            self.run(self.start(parameters, self._viewer, **context_values))
            await self._over
        finally:
            await self._clean_up(disconnect)
        await self.connection.send({"type": "http.response.body", "body": b""})
        asyncio.get_running_loop().call_later(self._endpoint.send_timeout, self.connection.abort_if_unread)

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

    def end(self) -> None:
        """Sends nothing more; a client that has not received `complete` resumes."""
        if not self._over.done():
            self._over.set_result(None)

    def stop(self) -> None:
        """The server stops: it does not wait for a client that does not read."""
        self.abort() if self.connection.is_sending else self.end()

    def abort(self) -> None:
        """Drops the connection to a client that does not read."""
        self.connection.disconnected = True
        self.connection.abort_if_unread()
        self.end()

    def send_heartbeat(self) -> None:
        """Sends a comment, unless an event waits to be read anyway."""
        if not self.connection.is_sending and (rest := run_until_blocked(self._write(HEARTBEAT))) is not None:
            self._heartbeat = asyncio.create_task(_finish(rest))

    async def send(self, payload: bytes, cursor: str | None = None) -> None:
        id_line = b"id: %b\n" % cursor.encode() if cursor else b""
        await self._write(b"%bevent: next\ndata: %b\n\n" % (id_line, payload))

    async def send_complete(self) -> None:
        await self._write(COMPLETE)

    async def send_errors(self, errors: list[dict[str, Any]]) -> None:
        await self.send(json_codec.encode({"errors": errors}))
        await self._write(COMPLETE)

    def on_end(self) -> None:
        self.end()

    async def _write(self, text: bytes) -> None:
        """Sends text unless the stream has ended."""
        if not self._over.done():
            await self.connection.send({"type": "http.response.body", "body": text, "more_body": True})

    def _check_expiry(self) -> None:
        """Ends the stream once its token has expired."""
        left = self._viewer.expires_at - time()
        if left <= 0:
            self.end()
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
