"""GraphQL over HTTP: POST for everything, GET for queries (https://graphql.github.io/graphql-over-http/)."""

from time import perf_counter

from graphql_compiled.engine import PreparedOperation
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth import bearer
from app.errors import BadInput
from app.telemetry import begin
from app.transport.media_types import HTML, JSON, RESPONSE, preferred
from app.transport.operations import Operations, header
from app.transport.requests import Declined, Disconnected, parameters_of
from app.transport.responses import Reply, refusal


class _Call:
    """What is known of one request so far."""

    __slots__ = ("headers", "media", "prepared", "request", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request = begin(header(self.headers, b"traceparent"))
        self.media = JSON
        self.prepared: PreparedOperation | None = None


class HTTPEndpoint:
    """The ASGI application of one GraphQL URL.

    `max_body` is in bytes. `page` answers a browser that opens the URL.
    """

    def __init__(
        self,
        operations: Operations,
        *,
        max_body: int = 8 * 1024 * 1024,
        page: ASGIApp | None = None,
    ) -> None:
        self._operations = operations
        self._max_body = max_body
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong is answered too."""
        if self._page and _is_for_a_person(scope):
            await self._page(scope, receive, send)
            return
        started = perf_counter()
        call = _Call(scope)
        try:
            reply = await self._reply(call, receive)
        except Disconnected:
            return
        await reply.send(call.media, call.request, send)
        self._operations.done(call.prepared, reply.outcome, started, "http")

    async def _reply(self, call: _Call, receive: Receive) -> Reply:
        try:
            return await self._operations.deadline.run(self._serve(call, receive))
        except Disconnected:
            raise
        except Exception as failure:
            return refusal(failure, call.media, call.request)

    async def _serve(self, call: _Call, receive: Receive) -> Reply:
        method = call.scope["method"]
        if method not in ("GET", "POST"):
            raise Declined(405, "GraphQL is served by POST, and queries by GET.", (b"allow", b"GET, POST"))
        call.media = _negotiate(call)
        viewer = await self._operations.viewer(bearer(header(call.headers, b"authorization")))
        parameters = await parameters_of(call.scope, call.headers, receive, self._max_body)
        call.prepared = prepared = self._operations.prepare(parameters, viewer)
        _check_method(method, prepared)
        key = header(call.headers, b"idempotency-key")
        context = self._operations.context(viewer, call.request, key)
        answer = await self._operations.execute(prepared, parameters, context, call.request.id)
        return Reply(200, answer.body, answer.outcome)


def _is_for_a_person(scope: Scope) -> bool:
    accepted = dict(scope["headers"]).get(b"accept", b"*/*")
    return scope["method"] == "GET" and preferred(accepted, (RESPONSE, JSON, HTML)) == HTML


def _negotiate(call: _Call) -> str:
    media = preferred(call.headers.get(b"accept", b"*/*"), (RESPONSE, JSON))
    if media is None:
        raise Declined(406, f"This URL answers in {RESPONSE} or {JSON}.")
    return media


def _check_method(method: str, prepared: PreparedOperation) -> None:
    if prepared.kind == "subscription":
        raise BadInput("A subscription needs a connection that stays open: graphql-transport-ws here, SSE below.")
    if method == "GET" and prepared.kind != "query":
        raise Declined(405, "Only queries may be sent by GET.", (b"allow", b"POST"))
