"""Complete HTTP responses: a result, or the errors of a request that was not executed."""

from typing import Any, NamedTuple

from starlette.types import Send

from app.auth import challenge
from app.errors import Refused, Unauthenticated, Unavailable
from app.telemetry import Request
from app.transport import json_codec
from app.transport.budgets import Headers, OverBudget
from app.transport.errors import INTERNAL, format_failure
from app.transport.media_types import JSON, RESPONSE
from app.transport.operations import EncodedResult
from app.transport.refusals import log_refused
from app.transport.requests import Declined

STATUS = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "DOCUMENT_NOT_TRUSTED": 403,
    "RATE_LIMITED": 429,
    "TIMEOUT": 504,
    "UNAVAILABLE": 503,
    INTERNAL: 500,
    # Apollo's protocol: a client that sees another status may not read the code, and then never sends the document
    "PERSISTED_QUERY_NOT_FOUND": 200,
    "PERSISTED_QUERY_NOT_SUPPORTED": 200,
}
"""Of requests that were not executed, by code; 400 for all others. With `application/json`, 400 and 403 become 200:
its clients treat any other status as a failure of the transport."""

PRIVATE: Headers = [(b"cache-control", b"no-store"), (b"vary", b"accept")]
_TYPES = {name: (b"content-type", f"{name}; charset=utf-8".encode()) for name in (JSON, RESPONSE)}


class Response(NamedTuple):
    """A response to send, and its outcome for logs and metrics."""

    status: int
    body: bytes
    outcome: str
    headers: Headers = ()

    async def send(self, media_type: str, request: Request, send: Send) -> None:
        """Sends the response, with the id of its request."""
        length = (b"content-length", b"%d" % len(self.body))
        headers = [_TYPES[media_type], length, (b"x-request-id", request.id.encode()), *PRIVATE, *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def executed(result: EncodedResult, media_type: str) -> Response:
    """The response to an operation that was executed: 200, or 503 if the database was unavailable for all of it.

    A client of `application/json` expects 200 of everything that was executed (GraphQL over HTTP, §6.4.1).
    """
    charged = result.charge.headers if result.charge else ()
    if result.outcome == Unavailable.code and not result.has_data and media_type == RESPONSE:
        headers = [*_retry_after(Unavailable.retry_after), *charged]
        return Response(503, result.body, result.outcome, headers)
    return Response(200, result.body, result.outcome, charged)


def refusal(failure: Exception, media_type: str, request: Request) -> Response:
    """The response to a request that was not executed because of `failure`."""
    match failure:
        case Declined():
            response = _refused(failure, media_type)
            return response._replace(status=failure.status, headers=failure.headers)
        case Unauthenticated():
            response = _refused(failure, media_type)
            return response._replace(headers=[(b"www-authenticate", challenge(failure).encode())])
        case OverBudget():
            response = _refused(failure, media_type)
            return response._replace(headers=[*response.headers, *failure.charge.headers])
        case Refused():
            return _refused(failure, media_type)
    return _without_data(format_failure(failure, request.id), media_type)


def _refused(refused: Refused, media_type: str) -> Response:
    response = _without_data([{"message": refused.message, "extensions": refused.extensions}], media_type)
    return response._replace(headers=_retry_after(refused.retry_after))


def _retry_after(seconds: int | None) -> Headers:
    return () if seconds is None else [(b"retry-after", b"%d" % seconds)]


def _without_data(errors: list[dict[str, Any]], media_type: str) -> Response:
    log_refused(errors)
    code = errors[0]["extensions"]["code"]
    status = STATUS.get(code, 400)
    if media_type != RESPONSE and status in (400, 403):
        status = 200
    return Response(status, json_codec.encode({"errors": errors}), code)
