"""What both clients do with a call on its way to the server and back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

import httpx2
import orjson
import stamina

from colloquy.call import Call
from colloquy.errors import BadInput, IdempotencyInProgress, RateLimited, TimedOut, Unreachable

T = TypeVar("T")
ATTEMPTS, PATIENCE_SECONDS = 5, 45.0
LONGEST_WAIT_SECONDS = 2.0
BUSY = (502, 503)  # a proxy without a server behind it
TRANSIENT = (Unreachable, RateLimited, TimedOut, IdempotencyInProgress)
ACCEPT = "application/graphql-response+json, application/json;q=0.9"


class Policy:
    """What both clients know of the server."""

    def __init__(self, url: str, *, attempts: int, patience: float, keys: bool) -> None:
        self.url = url.rstrip("/").removesuffix("/graphql") + "/graphql"
        self.keys = keys
        self.retrying: dict[str, Any] = {"attempts": attempts, "timeout": patience, "wait_max": 2.0}

    def prepared(self, call: Call[T]) -> Call[T]:
        """The call with a key of its own, where it needs one to be repeatable."""
        if call.repeatable or call.idempotency_key or not self.keys:
            return call
        return replace(call, idempotency_key=uuid4().hex)

    def retries(self, call: Call[Any]) -> Any:
        """How often the call may be sent: once, unless sending it again does no more."""
        safe = call.repeatable or call.idempotency_key is not None
        return stamina.retry_context(on=TRANSIENT if safe else (), **self.retrying)


def body_of(call: Call[Any]) -> bytes:
    try:
        return orjson.dumps({"query": call.document, "variables": call.variables})
    except TypeError as error:
        raise BadInput(f"JSON cannot carry this: {error}.") from None


def headers_of(call: Call[Any], token: str) -> dict[str, str]:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json", "accept": ACCEPT}
    return headers | ({"idempotency-key": call.idempotency_key} if call.idempotency_key else {})


def response_of(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        found = None
    if answer.status_code in BUSY or not isinstance(found, dict) or not found.keys() & {"data", "errors"}:
        raise Unreachable(f"There is no GraphQL behind this URL: HTTP {answer.status_code}.")
    return found


def unreachable(error: httpx2.TransportError) -> Unreachable:
    """No answer, in words."""
    return Unreachable(f"The server did not answer: {error or type(error).__name__}.")


def own(
    document: str,
    variables: Mapping[str, Any] | None = None,
    *,
    repeatable: bool = False,
    idempotency_key: str | None = None,
) -> Call[Mapping[str, Any]]:
    """A call of the caller's own document; its answer is the data."""
    return Call(document, variables or {}, dict, repeatable, idempotency_key)
