"""What goes back to one HTTP request, whole: an answer, or why there is none."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from graphql_compiled.engine import RequestError
from starlette.types import Send

from app.auth import challenge
from app.errors import Refused, Unauthenticated
from app.telemetry import Request
from app.transport import json_codec
from app.transport.errors import INTERNAL, format_failure, format_rejection
from app.transport.media_types import JSON, RESPONSE
from app.transport.requests import Declined

Headers = Sequence[tuple[bytes, bytes]]

STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "RATE_LIMITED": 429, "TIMEOUT": 504, INTERNAL: 500}
"""Of what was not executed, by code; 400 otherwise. `application/json` answers 200 to what is 400 or 403:
its readers take any other status for a failure of the transport."""

PRIVATE: Headers = [(b"cache-control", b"no-store"), (b"vary", b"accept")]
_TYPES = {media: (b"content-type", f"{media}; charset=utf-8".encode()) for media in (JSON, RESPONSE)}


class Reply(NamedTuple):
    """The status, the body, and how it is counted."""

    status: int
    body: bytes
    outcome: str
    headers: Headers = ()

    async def send(self, media: str, request: Request, send: Send) -> None:
        """As `media`, under the request's id."""
        length = (b"content-length", b"%d" % len(self.body))
        headers = [_TYPES[media], length, (b"x-request-id", request.id.encode()), *PRIVATE, *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def refusal(failure: Exception, media: str, request: Request) -> Reply:
    """The reply to a request of which nothing was executed."""
    match failure:
        case RequestError(errors=errors):
            return _without_data([format_rejection(error) for error in errors], media)
        case Declined():
            return _named(failure, media)._replace(status=failure.status, headers=failure.headers)
        case Unauthenticated():
            return _named(failure, media)._replace(headers=[(b"www-authenticate", challenge(failure).encode())])
        case Refused():
            return _named(failure, media)
    return _without_data([format_failure(failure, request.id)], media)


def _named(refused: Refused, media: str) -> Reply:
    return _without_data([{"message": refused.message, "extensions": {"code": refused.code}}], media)


def _without_data(errors: list[dict[str, Any]], media: str) -> Reply:
    code = errors[0]["extensions"]["code"]
    status = STATUS.get(code, 400)
    if media != RESPONSE and status in (400, 403):
        status = 200
    return Reply(status, json_codec.encode({"errors": errors}), code)
