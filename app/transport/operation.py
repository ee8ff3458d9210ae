"""One operation, by whatever wire it came: who asks, what is asked, what is answered."""

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from graphql import ExecutionResult

from app.errors import BadInput, OutOfScope, Unauthenticated
from app.execution.engine import Engine, Prepared
from app.transport import wire
from app.transport.deadline import Deadline
from app.transport.errors import format_error

logger = logging.getLogger("colloquy.request")

SCOPES = {"query": "chat:read", "subscription": "chat:read", "mutation": "chat:write"}

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


class Viewer(Protocol):
    """What the transport needs to know of whoever holds a token."""

    @property
    def scopes(self) -> frozenset[str]:
        """What the token may be used for."""

    @property
    def expires_at(self) -> float:
        """When it ends, in seconds since the epoch."""


class Authenticator(Protocol):
    """Tells whose token it is."""

    def cached(self, token: str, /) -> Any | None:
        """The viewer of a token that was verified before and is still good, without waiting."""

    async def viewer(self, token: str, /) -> Any:
        """The viewer of any token; `Unauthenticated` if it proves nothing."""


class MakeContext(Protocol):
    """Makes what one operation may touch. It may offer `fresh()` and `extensions`, see `Operations`."""

    def __call__(
        self, viewer: Any, /, *, trace_id: str | None, idempotency_key: str | None, request_id: str
    ) -> Any: ...


class Observe(Protocol):
    """Counts what happened: a kind of operation (`unknown` before it is parsed), an outcome, a duration."""

    def __call__(self, kind: str, outcome: str, seconds: float, /) -> None: ...


class Answer(NamedTuple):
    """The JSON of a response, and how it went: `OK`, `ERROR` if any field failed."""

    body: bytes
    outcome: str


@dataclass(frozen=True, slots=True)
class Parameters:
    """A well-formed GraphQL request (GraphQL over HTTP §5.1); `variables` are as they were sent."""

    query: str
    operation_name: str | None
    variables: Mapping[str, Any]
    extensions: Mapping[str, Any]

    @classmethod
    def of(cls, request: Any) -> "Parameters":
        """Check the shape of a request; `BadInput` names what is wrong with it."""
        if not isinstance(request, dict):
            raise BadInput("A request is one JSON object with the key query.")
        query, name = request.get("query"), request.get("operationName")
        if not isinstance(query, str):
            raise BadInput("query must be a string.")
        if name is not None and not isinstance(name, str):
            raise BadInput("operationName must be a string or null.")
        return cls(query, name, _map(request, "variables"), _map(request, "extensions"))


class Operations:
    """Lets operations in and runs them; everything that HTTP, sockets and streams have in common.

    A context may offer `fresh()`, which gives each event of a subscription one of its own, and a dict
    `extensions`, which becomes part of the response. `timeout` is in seconds.
    """

    def __init__(
        self,
        engine: Engine,
        authenticator: Authenticator,
        make_context: MakeContext,
        *,
        timeout: float = 30.0,
        observe: Observe | None = None,
    ) -> None:
        self.engine = engine
        self.deadline = Deadline(timeout)
        self._authenticator = authenticator
        self._make_context = make_context
        self._observe = observe

    async def viewer(self, token: str) -> Any:
        """Whoever holds the token; `Unauthenticated` if nobody does."""
        return self._authenticator.cached(token) or await self._authenticator.viewer(token)

    def prepare(self, parameters: Parameters, viewer: Viewer) -> Prepared:
        """The operation, if the viewer may run it; `Rejected` or `OutOfScope` otherwise."""
        prepared = self.engine.prepare(parameters.query, parameters.operation_name)
        if SCOPES[prepared.kind] not in viewer.scopes:
            raise OutOfScope(f"A {prepared.kind} needs a token with the scope {SCOPES[prepared.kind]}.")
        return prepared

    def context(self, viewer: Any, headers: Mapping[bytes, bytes], request_id: str) -> Any:
        """A new context for one operation."""
        return self._make_context(
            viewer,
            trace_id=trace_id(headers),
            idempotency_key=header(headers, b"idempotency-key"),
            request_id=request_id,
        )

    async def execute(self, prepared: Prepared, parameters: Parameters, context: Any, request_id: str) -> Answer:
        """Run a query or a mutation; `Rejected` if its variables do not fit."""
        result = await self.engine.execute(prepared, parameters.variables, context)
        return answer(result, context, request_id)

    def done(self, prepared: Prepared | None, outcome: str, started: float, request_id: str, wire_name: str) -> None:
        """Count an operation that began at `started` (of `perf_counter`), and write its line in the log."""
        seconds = perf_counter() - started
        kind = prepared.kind if prepared else "unknown"
        if self._observe is not None:
            self._observe(kind, outcome, seconds)
        if logger.isEnabledFor(logging.INFO):
            name = prepared.name if prepared else None
            facts = {"kind": kind, "operation": name, "outcome": outcome, "wire": wire_name}
            logger.info("request", extra={**facts, "seconds": round(seconds, 6), "request_id": request_id})


def answer(result: ExecutionResult, context: Any, request_id: str) -> Answer:
    """The response to an operation that was executed."""
    response: dict[str, Any] = {"data": result.data}
    if result.errors:
        response["errors"] = [format_error(error, request_id) for error in result.errors]
    if extensions := {**(result.extensions or {}), **(getattr(context, "extensions", None) or {})}:
        response["extensions"] = extensions
    return Answer(wire.encode(response), "ERROR" if result.errors else "OK")


def bearer(authorization: Any) -> str:
    """The token of an Authorization header, or of the field that stands for it (RFC 6750 §2.1)."""
    if authorization is None:
        raise Unauthenticated("A bearer token is needed.")
    scheme, _, token = authorization.partition(" ") if isinstance(authorization, str) else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Authorization must read: Bearer <token>.")
    return token.strip()


def header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    """The text of a header, if it was sent."""
    value = headers.get(name)
    return value.decode("latin-1") if value is not None else None


def trace_id(headers: Mapping[bytes, bytes]) -> str | None:
    """The trace that the request belongs to (W3C Trace Context, traceparent)."""
    found = _TRACEPARENT.match(headers.get(b"traceparent", b""))
    return found[1].decode() if found else None


def request_id(headers: Mapping[bytes, bytes]) -> str:
    """The sender's X-Request-Id if it is fit to be logged, a new one otherwise."""
    given = headers.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return secrets.token_hex(8)


def _map(request: dict[str, Any], key: str) -> Mapping[str, Any]:
    value = request.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput(f"{key} must be an object or null.")
    return value
