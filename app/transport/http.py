"""GraphQL over HTTP: POST for everything, GET for queries (https://graphql.github.io/graphql-over-http/)."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth import bearer, challenge
from app.errors import BadInput, Refused, Unauthenticated
from app.execution.engine import Prepared, Rejected
from app.telemetry import begin
from app.transport import wire
from app.transport.errors import INTERNAL, format_failure, format_rejection
from app.transport.media import HTML, JSON, RESPONSE, is_json, preferred
from app.transport.operation import Operations, Parameters, header

Headers = Sequence[tuple[bytes, bytes]]

STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "RATE_LIMITED": 429, "TIMEOUT": 504, INTERNAL: 500}
"""Of what was not executed, by code; 400 otherwise. `application/json` answers 200 to what is 400 or 403:
its readers take any other status for a failure of the transport."""

PREFLIGHT = (b"apollo-require-preflight", b"x-apollo-operation-name", b"graphql-require-preflight")
"""A header that no page of another site can send unasked; so is any that begins with `x-graphql-`."""

_TYPES = {media: (b"content-type", f"{media}; charset=utf-8".encode()) for media in (JSON, RESPONSE)}
_PRIVATE: Headers = [(b"cache-control", b"no-store"), (b"vary", b"accept")]


class Declined(Refused):
    """A request that is wrong as HTTP: its status is the same for every media type."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = list(headers)


class Disconnected(Exception):
    """The sender went away before it had sent everything."""


class Reply(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    outcome: str
    headers: Headers = ()


class _Call:
    """What is known of one request so far."""

    __slots__ = ("headers", "media", "prepared", "request", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request = begin(header(self.headers, b"traceparent"))
        self.media = JSON
        self.prepared: Prepared | None = None


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
        await _send(call, reply, send)
        self._operations.done(call.prepared, reply.outcome, started, "http")

    async def _reply(self, call: _Call, receive: Receive) -> Reply:
        try:
            return await self._operations.deadline.run(self._serve(call, receive))
        except Rejected as rejected:
            return _refusal(call, [format_rejection(error) for error in rejected.errors])
        except Refused as refused:
            return _refused(call, refused)
        except Disconnected:
            raise
        except Exception as fault:
            return _refusal(call, [format_failure(fault, call.request.id)])

    async def _serve(self, call: _Call, receive: Receive) -> Reply:
        method = call.scope["method"]
        if method not in ("GET", "POST"):
            raise Declined(405, "GraphQL is served by POST, and queries by GET.", (b"allow", b"GET, POST"))
        call.media = _negotiate(call)
        viewer = await self._operations.viewer(bearer(header(call.headers, b"authorization")))
        parameters = await self._parameters(call, receive)
        call.prepared = prepared = self._operations.prepare(parameters, viewer)
        _check_method(method, prepared)
        key = header(call.headers, b"idempotency-key")
        context = self._operations.context(viewer, call.request, key)
        answer = await self._operations.execute(prepared, parameters, context, call.request.id)
        return Reply(200, answer.body, answer.outcome)

    async def _parameters(self, call: _Call, receive: Receive) -> Parameters:
        try:
            if call.scope["method"] == "GET":
                return Parameters.of(_query_string(call))
            _check_type(call.headers)
            return Parameters.of(wire.decode(await self._body(call.headers, receive)))
        except BadInput as wrong:
            raise Declined(400, wrong.message) from None

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced[:20]) > self._max_body:
            raise self._too_large()
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._max_body:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> Declined:
        return Declined(413, f"The body is longer than {self._max_body:,} bytes.")


def _is_for_a_person(scope: Scope) -> bool:
    accepted = dict(scope["headers"]).get(b"accept", b"*/*")
    return scope["method"] == "GET" and preferred(accepted, (RESPONSE, JSON, HTML)) == HTML


def _negotiate(call: _Call) -> str:
    media = preferred(call.headers.get(b"accept", b"*/*"), (RESPONSE, JSON))
    if media is None:
        raise Declined(406, f"This URL answers in {RESPONSE} or {JSON}.")
    return media


def _check_type(headers: dict[bytes, bytes]) -> None:
    if not is_json(headers.get(b"content-type", b"")):
        raise Declined(415, "The body must be application/json in UTF-8.", (b"accept-post", JSON.encode()))
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Declined(415, "The body must not be compressed.", (b"accept-encoding", b"identity"))


def _check_method(method: str, prepared: Prepared) -> None:
    if prepared.kind == "subscription":
        raise BadInput("A subscription needs a connection that stays open: graphql-transport-ws at this URL.")
    if method == "GET" and prepared.kind != "query":
        raise Declined(405, "Only queries may be sent by GET.", (b"allow", b"POST"))


def _query_string(call: _Call) -> dict[str, Any]:
    if not any(name in PREFLIGHT or name.startswith(b"x-graphql-") for name in call.headers):
        raise BadInput("A query by GET needs the header apollo-require-preflight, so that no other site can ask.")
    try:
        text = call.scope["query_string"].decode("ascii")
        given = dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=16))
    except ValueError:
        raise BadInput("The query string cannot be read.") from None
    request: dict[str, Any] = dict(given)
    for key in ("variables", "extensions"):
        if key in given:
            request[key] = wire.decode(given[key].encode()) if given[key] else None
    return request


def _refused(call: _Call, refused: Refused) -> Reply:
    error = {"message": refused.message, "extensions": {"code": refused.code}}
    better = isinstance(refused, Unauthenticated) and [(b"www-authenticate", challenge(refused).encode())]
    reply = _refusal(call, [error], better or [])
    if isinstance(refused, Declined):
        return reply._replace(status=refused.status, headers=refused.headers)
    return reply


def _refusal(call: _Call, errors: list[dict[str, Any]], headers: Headers = ()) -> Reply:
    """A response without `data`, because nothing was executed."""
    code = errors[0]["extensions"]["code"]
    status = STATUS.get(code, 400)
    if call.media != RESPONSE and status in (400, 403):
        status = 200
    return Reply(status, wire.encode({"errors": errors}), code, headers)


async def _send(call: _Call, reply: Reply, send: Send) -> None:
    length = (b"content-length", b"%d" % len(reply.body))
    name = (b"x-request-id", call.request.id.encode())
    headers = [_TYPES[call.media], length, name, *_PRIVATE, *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
