"""GraphQL over server-sent events, distinct connections mode
(https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md).

A request that is invalid as HTTP, or without a valid token, gets an HTTP error; all other errors are events of the
stream. Each live event has its cursor as `id`, and `Last-Event-ID` replaces the argument `after`, so the same request
sent again resumes the subscription. A stream that ends without `complete` (the server stops, the token has expired)
asks the client to resume.
"""

from time import perf_counter
from typing import Any

from graphql_compiled.engine import RequestError
from starlette.types import Receive, Scope, Send

from app.auth import Viewer, bearer
from app.errors import Refused
from app.transport import json_codec
from app.transport.connection import Connection
from app.transport.event_streams import EventStream, EventStreams
from app.transport.media_types import RESPONSE, preferred
from app.transport.operations import OWNER_HEADER, header
from app.transport.parameters import Parameters
from app.transport.requests import Declined, Disconnected, read_parameters
from app.transport.responses import refusal

EVENT_STREAM = "text/event-stream"
COMPLETE = b"event: complete\ndata:\n\n"


class ServerSentEvents(EventStream):
    """One response of server-sent events; a client that has not received `complete` resumes."""

    protocol = "sse"
    content_type = b"text/event-stream; charset=utf-8"
    opening = heartbeat = b":\n\n"

    async def send(self, payload: bytes, cursor: str | None = None) -> None:
        id_line = b"id: %b\n" % cursor.encode() if cursor else b""
        await self.write(b"%bevent: next\ndata: %b\n\n" % (id_line, payload))

    async def send_complete(self) -> None:
        await self.write(COMPLETE)

    async def send_errors(self, errors: list[dict[str, Any]]) -> None:
        await self.send(json_codec.encode({"errors": errors}))
        await self.write(COMPLETE)

    def interruption(self, code: str, message: str) -> bytes:
        return b""


class EventStreamEndpoint:
    """The ASGI application of one URL's event streams; `max_body` is in bytes."""

    def __init__(self, streams: EventStreams, *, max_body: int) -> None:
        self._streams, self._operations = streams, streams.operations
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, with an event stream if it is a valid request of a known viewer."""
        started = perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request = self._operations.begin(header(headers, b"traceparent"))
        try:
            viewer, parameters = await self._operations.deadline.run(self._read(scope, headers, receive))
        except Disconnected:
            return
        except Exception as failure:
            response = refusal(failure, RESPONSE, request)
            await response.send(RESPONSE, request, send)
            self._operations.record(None, response.outcome, started, ServerSentEvents.protocol)
            return
        stream = ServerSentEvents(self._streams, request, started, viewer, Connection(receive, send))
        names = {"idempotency_key": b"idempotency-key", "resume_after": b"last-event-id"}
        values = {name: header(headers, key) or None for name, key in names.items()}
        await self._streams.serve(stream, parameters, **values)

    async def _read(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> tuple[Viewer, Parameters]:
        method = scope["method"]
        if method not in ("GET", "POST"):
            raise Declined(405, "An event stream is requested by POST, or by GET.", (b"allow", b"GET, POST"))
        if preferred(headers.get(b"accept", b"*/*"), (EVENT_STREAM,)) is None:
            raise Declined(406, f"This URL answers in {EVENT_STREAM}.")
        token = bearer(header(headers, b"authorization"))
        viewer = await self._operations.viewer(token, header(headers, OWNER_HEADER))
        parameters = await read_parameters(scope, headers, receive, self._max_body)
        if method == "GET" and self._is_mutation(viewer, parameters):
            raise Declined(405, "A mutation is sent by POST.", (b"allow", b"POST"))
        return viewer, parameters

    def _is_mutation(self, viewer: Viewer, parameters: Parameters) -> bool:
        try:
            return self._operations.prepare(parameters, viewer).kind == "mutation"
        except (RequestError, Refused):  # becomes an event of the stream
            return False
