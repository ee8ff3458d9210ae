"""One GraphQL request over HTTP: its headers and body, its response, and every failure as a ColloquyError."""

import ssl
from collections.abc import Mapping
from typing import Any

import httpx2
import orjson

from colloquy.errors import BadInput, ColloquyError, Forbidden, RateLimited, Unauthenticated, Unreachable
from colloquy.operation import Operation
from colloquy.trace_context import add_trace_context
from colloquy.validation import header_value

ACCEPT = "application/graphql-response+json, application/json;q=0.9"
BY_STATUS: Mapping[int, type[ColloquyError]] = {
    401: Unauthenticated,
    403: Forbidden,
    408: Unreachable,
    429: RateLimited,
}


def encode_body(operation: Operation[Any]) -> bytes:
    """Returns the request's body. Raises BadInput for variables that JSON cannot represent."""
    try:
        return orjson.dumps({"query": operation.document, "variables": operation.variables})
    except TypeError as error:
        raise BadInput(f"JSON cannot represent the variables: {error}.") from None


def headers(operation: Operation[Any], token: str) -> dict[str, str]:
    """Returns the request's headers. Raises BadInput for an idempotency key that no header can carry."""
    always = {"authorization": f"Bearer {token}", "content-type": "application/json", "accept": ACCEPT}
    add_trace_context(always)
    if operation.idempotency_key is None:
        return always
    return always | {"idempotency-key": header_value(operation.idempotency_key)}


def decode_response(response: httpx2.Response) -> Mapping[str, Any]:
    """Returns the GraphQL response. Raises a ColloquyError when something other than Colloquy answered."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or not (body.keys() & {"data", "errors"}):
        raise status_error(response.status_code)
    return dict(body)


def status_error(status: int) -> ColloquyError:
    """The exception for an HTTP status without a GraphQL response: only 408, 429 and 5xx are worth a retry."""
    kind = Unreachable if status >= 500 else BY_STATUS.get(status, BadInput)
    return kind(f"There is no GraphQL behind this URL: HTTP {status}.")


def request_error(error: Exception) -> ColloquyError:
    """The exception for a request without a response."""
    reason = str(error).rstrip(".") or type(error).__name__
    if _has_untrusted_certificate(error):
        return BadInput(f"The server's certificate is not trusted: {reason}.")
    return Unreachable(f"The server did not answer: {reason}.")


def _has_untrusted_certificate(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None
