"""The messages of graphql-transport-ws, as far as they can be judged one by one."""

from collections.abc import Mapping
from typing import Any

from app.auth import bearer
from app.errors import BadInput, Unauthenticated
from app.transport import json_codec
from app.transport.operations import header

LONGEST_REASON = 123  # bytes, RFC 6455 §5.5
LONGEST_ID = 256


class Closing(Exception):
    """The socket must be closed, with a code of the protocol and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode("utf-8", "replace")[:LONGEST_REASON].decode("utf-8", "ignore")


def frame_of(text: str | None) -> dict[str, Any]:
    try:
        frame = json_codec.decode((text or "").encode())
    except BadInput:
        frame = None
    if not isinstance(frame, dict):
        raise Closing(4400, "A message is a JSON object in a text frame")
    return frame


def id_of(frame: Mapping[str, Any]) -> str:
    given = frame.get("id")
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_ID:
        raise Closing(4400, f"id must be a string of 1 to {LONGEST_ID} characters")
    return given


def payload_of(frame: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = frame.get("payload")
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise Closing(4400, "payload must be an object or null")
    return payload


def token_of(payload: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
    """The bearer token, from the first message as graphql-ws clients send it, or from the handshake."""
    for name in ("Authorization", "authorization"):
        if name in payload:
            return bearer(payload[name])
    if "token" not in payload:
        return bearer(header(headers, b"authorization"))
    token = payload["token"]
    if not isinstance(token, str):
        raise Unauthenticated("The token must be a string.")
    return token


def quoted(id: str) -> str:
    return json_codec.encode(id).decode()
