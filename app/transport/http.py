"""GraphQL over HTTP: POST for everything, GET for queries (https://graphql.github.io/graphql-over-http/).

A subscription is answered in parts if the client accepts them (`multipart.py`).
"""

from time import perf_counter

from graphql_compiled.engine import PreparedOperation
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth import Viewer, bearer
from app.errors import BadInput
from app.telemetry import begin
from app.transport.connection import Connection
from app.transport.event_streams import EventStreams
from app.transport.media_types import HTML, JSON, RESPONSE, accepts_subscriptions, preferred
from app.transport.multipart import MultipartStream
from app.transport.operations import OWNER_HEADER, header
from app.transport.parameters import Parameters
from app.transport.requests import Declined, Disconnected, read_parameters
from app.transport.responses import Response, executed, refusal


class _Exchange:
    """The state of one request and its response."""

    __slots__ = ("headers", "media_type", "prepared", "request", "scope", "subscription")
    subscription: tuple[Viewer, Parameters]

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request = begin(header(self.headers, b"traceparent"))
        self.media_type = JSON
        self.prepared: PreparedOperation | None = None


class HTTPEndpoint:
    """The ASGI application of one GraphQL URL.

    `max_body` is in bytes. `page` serves browsers that open the URL.
    """

    def __init__(self, streams: EventStreams, *, max_body: int, page: ASGIApp | None) -> None:
        self._streams, self._operations = streams, streams.operations
        self._max_body = max_body
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; every failure becomes a response."""
        if self._page and _prefers_html(scope):
            await self._page(scope, receive, send)
            return
        started = perf_counter()
        exchange = _Exchange(scope)
        try:
            response = await self._operations.deadline.run(self._execute(exchange, receive))
        except Disconnected:
            return
        except Exception as failure:
            response = refusal(failure, exchange.media_type, exchange.request)
        if response is None:
            viewer, parameters = exchange.subscription
            stream = MultipartStream(self._streams, exchange.request, started, viewer, Connection(receive, send))
            await self._streams.serve(stream, parameters)
            return
        await response.send(exchange.media_type, exchange.request, send)
        self._operations.record(exchange.prepared, response.outcome, started, "http")

    async def _execute(self, exchange: _Exchange, receive: Receive) -> Response | None:
        """The response; None for a subscription, whose response is a stream."""
        method = exchange.scope["method"]
        if method not in ("GET", "POST"):
            raise Declined(405, "GraphQL is served by POST, and queries by GET.", (b"allow", b"GET, POST"))
        exchange.media_type = _negotiated(exchange)
        headers = exchange.headers
        owner = header(headers, OWNER_HEADER) if OWNER_HEADER in headers else None
        viewer = await self._operations.viewer(bearer(header(headers, b"authorization")), owner)
        parameters = await read_parameters(exchange.scope, headers, receive, self._max_body)
        exchange.prepared = prepared = self._operations.prepare(parameters, viewer)
        _check_method(exchange, prepared)
        if prepared.kind == "subscription":
            exchange.subscription = viewer, parameters
            return None
        key = header(headers, b"idempotency-key") if b"idempotency-key" in headers else None
        context = self._operations.context(viewer, exchange.request, key)
        result = await self._operations.execute(prepared, parameters, context, exchange.request.id)
        return executed(result, exchange.media_type)


def _prefers_html(scope: Scope) -> bool:
    accepted = dict(scope["headers"]).get(b"accept", b"*/*")
    return scope["method"] == "GET" and preferred(accepted, (RESPONSE, JSON, HTML)) == HTML


def _negotiated(exchange: _Exchange) -> str:
    media_type = preferred(exchange.headers.get(b"accept", b"*/*"), (RESPONSE, JSON))
    if media_type is None:
        if accepts_subscriptions(exchange.headers[b"accept"]):
            return JSON  # of what is not a stream: errors
        raise Declined(406, f"This URL answers in {RESPONSE} or {JSON}.")
    return media_type


def _check_method(exchange: _Exchange, prepared: PreparedOperation) -> None:
    if prepared.kind == "subscription" and not accepts_subscriptions(exchange.headers.get(b"accept", b"")):
        raise BadInput(
            "A subscription needs a response that stays open: graphql-transport-ws or multipart/mixed here, SSE below."
        )
    if exchange.scope["method"] == "GET" and prepared.kind != "query":
        raise Declined(405, "Only queries may be sent by GET.", (b"allow", b"POST"))
