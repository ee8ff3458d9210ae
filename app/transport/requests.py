"""GraphQL requests over HTTP: in the body of a POST, in the query string of a GET."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope

from app.errors import BadInput, Refused
from app.transport import json_codec
from app.transport.media_types import JSON, is_json
from app.transport.parameters import Parameters


class Declined(Refused):
    """A request that is invalid as HTTP; the status is the same for every media type."""

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = list(headers)


class Disconnected(Exception):
    """The client disconnected before it had sent the whole body."""


async def read_parameters(scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, max_body: int) -> Parameters:
    """The GraphQL request, in a body of at most `max_body` bytes. Raises Declined, Disconnected."""
    try:
        if scope["method"] == "GET":
            return Parameters.of(_query_string(scope))
        _check_type(headers)
        return Parameters.of(json_codec.decode(await _body(headers, receive, max_body)))
    except BadInput as wrong:
        raise Declined(400, wrong.message) from None


async def _body(headers: Mapping[bytes, bytes], receive: Receive, max_body: int) -> bytes:
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced[:20]) > max_body:
        raise _too_large(max_body)
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > max_body:
            raise _too_large(max_body)
    return bytes(body)


def _too_large(max_body: int) -> Declined:
    return Declined(413, f"The body is longer than {max_body:,} bytes.")


def _check_type(headers: Mapping[bytes, bytes]) -> None:
    if not is_json(headers.get(b"content-type", b"")):
        raise Declined(415, "The body must be application/json in UTF-8.", (b"accept-post", JSON.encode()))
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Declined(415, "The body must not be compressed.", (b"accept-encoding", b"identity"))


def _query_string(scope: Scope) -> dict[str, Any]:
    try:
        text = scope["query_string"].decode("ascii")
        values = dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=16))
    except ValueError:
        raise BadInput("The query string cannot be read.") from None
    request: dict[str, Any] = dict(values)
    for key in ("variables", "extensions"):
        if key in values:
            request[key] = json_codec.decode(values[key].encode()) if values[key] else None
    return request
