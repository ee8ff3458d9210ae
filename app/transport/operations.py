"""One operation, by whatever wire it came: who asks, what is asked, what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from graphql import ExecutionResult
from graphql_compiled.engine import Engine, PreparedOperation

from app.auth import READ, WRITE, Authenticator, Viewer, require
from app.errors import BadInput
from app.telemetry import Request, log_request
from app.transport import json_codec
from app.transport.deadline import Deadline
from app.transport.errors import format_error

SCOPES = {"query": READ, "subscription": READ, "mutation": WRITE}


class MakeContext(Protocol):
    """Makes what one operation may touch. It may offer `fresh()` and `extensions`, see `Operations`."""

    def __call__(
        self,
        viewer: Any,
        /,
        *,
        trace_id: str | None,
        request_id: str,
        idempotency_key: str | None,
        resume_after: str | None,
    ) -> Any: ...


class Observe(Protocol):
    """Counts an operation: its kind (`none` if it never got one), OK or its first error's code, its seconds."""

    def __call__(self, kind: str, outcome: str, seconds: float, /) -> None: ...


class Answer(NamedTuple):
    """The JSON of a response, and how it went: OK or the code of its first error."""

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

    async def viewer(self, token: str) -> Viewer:
        """Whoever holds the token; `Unauthenticated` if nobody does."""
        return self._authenticator.cached(token) or await self._authenticator.viewer(token)

    def prepare(self, parameters: Parameters, viewer: Viewer) -> PreparedOperation:
        """The operation, if the viewer may run it; `RequestError` or `OutOfScope` otherwise."""
        prepared = self.engine.prepare(parameters.query, parameters.operation_name)
        require(viewer, SCOPES[prepared.kind])
        return prepared

    def context(
        self,
        viewer: Viewer,
        request: Request,
        idempotency_key: str | None = None,
        resume_after: str | None = None,
    ) -> Any:
        """A new context for one operation; `resume_after` is where a subscription that is asked for again goes on."""
        return self._make_context(
            viewer,
            trace_id=request.trace_id,
            request_id=request.id,
            idempotency_key=idempotency_key,
            resume_after=resume_after,
        )

    async def execute(
        self, prepared: PreparedOperation, parameters: Parameters, context: Any, request_id: str
    ) -> Answer:
        """Run a query or a mutation; `RequestError` if its variables do not fit."""
        result = await self.engine.execute(prepared, parameters.variables, context)
        return answer(result, context, request_id)

    def done(self, prepared: PreparedOperation | None, outcome: str, started: float, by: str) -> None:
        """Count an operation that began at `started` (of `perf_counter`), and write its line in the log."""
        seconds = perf_counter() - started
        kind = prepared.kind if prepared else "unknown"
        if self._observe is not None:
            self._observe(kind, outcome, seconds)
        name = prepared.name if prepared else None
        log_request(kind=kind, operation=name, outcome=outcome, seconds=round(seconds, 6), by=by)


def answer(result: ExecutionResult, context: Any, request_id: str) -> Answer:
    """The response to an operation that was executed."""
    response: dict[str, Any] = {"data": result.data}
    if result.errors:
        response["errors"] = [format_error(error, request_id) for error in result.errors]
    if extensions := {**(result.extensions or {}), **(getattr(context, "extensions", None) or {})}:
        response["extensions"] = extensions
    outcome = response["errors"][0]["extensions"]["code"] if result.errors else "OK"
    return Answer(json_codec.encode(response), outcome)


def header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    """The text of a header, if it was sent."""
    value = headers.get(name)
    return value.decode("latin-1") if value is not None else None


def _map(request: dict[str, Any], key: str) -> Mapping[str, Any]:
    value = request.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput(f"{key} must be an object or null.")
    return value
