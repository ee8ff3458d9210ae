"""Frames of graphql-transport-ws: what can be checked of each by itself."""

from collections.abc import Mapping
from typing import Any

from app.auth import bearer
from app.errors import BadInput, Unauthenticated
from app.transport import json_codec
from app.transport.operations import OWNER_HEADER, header

MAX_REASON_BYTES = 123  # RFC 6455 §5.5
MAX_ID_CHARS = 256


class CloseSocket(Exception):
    """The socket must be closed with this code, the protocol's or one of RFC 6455, and this reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")


def frame_of(text: str | None) -> dict[str, Any]:
    """The frame in a message; `text` is None if the message is binary. Raises CloseSocket."""
    try:
        frame = json_codec.decode((text or "").encode())
    except BadInput:
        frame = None
    if not isinstance(frame, dict):
        raise CloseSocket(4400, "A message is a JSON object in a text frame")
    return frame


def id_of(frame: Mapping[str, Any]) -> str:
    """The operation's id. Raises CloseSocket."""
    value = frame.get("id")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARS:
        raise CloseSocket(4400, f"id must be a string of 1 to {MAX_ID_CHARS} characters")
    return value


def payload_of(frame: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload, which a frame may leave out. Raises CloseSocket."""
    payload = frame.get("payload")
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise CloseSocket(4400, "payload must be an object or null")
    return payload


def token_of(payload: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
    """The bearer token: of `connection_init`, where graphql-ws clients send it, or of the handshake.

    Raises Unauthenticated.
    """
    for name in ("Authorization", "authorization"):
        if name in payload:
            return bearer(payload[name])
    if "token" not in payload:
        return bearer(header(headers, b"authorization"))
    token = payload["token"]
    if not isinstance(token, str):
        raise Unauthenticated("The token must be a string.")
    return token


def owner_of(payload: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> Any:
    """The owner for whom the token acts, of `connection_init` or of the handshake; None for its own."""
    for name in ("Colloquy-Owner", "colloquy-owner"):
        if name in payload:
            return payload[name]
    return header(headers, OWNER_HEADER)


def quoted(id: str) -> bytes:
    """The id as a JSON string."""
    return json_codec.encode(id)
