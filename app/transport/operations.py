"""What HTTP, websockets and event streams share: authenticate, prepare, execute, encode, record."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from graphql import ExecutionResult
from graphql_compiled.engine import Engine, PreparedOperation, ResponseStream

from app.auth import Authenticator, Viewer, on_behalf, require
from app.claims import READ, WRITE
from app.telemetry import Request, begin, log_request
from app.transport import json_codec
from app.transport.budgets import Budgets, Charge
from app.transport.deadline import Deadline
from app.transport.documents import Documents
from app.transport.errors import SubscriptionFailed, format_error, format_failure
from app.transport.parameters import Parameters
from app.transport.refusals import log_refused

OWNER_HEADER = b"colloquy-owner"
SCOPES = {"query": READ, "subscription": READ, "mutation": WRITE}


class MakeContext(Protocol):
    """Makes the context of one operation. A context may have `fresh()` and `extensions`, see `Operations`."""

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
    """Counts an operation: its kind (`unknown` before it is parsed), its outcome, its seconds."""

    def __call__(self, kind: str, outcome: str, seconds: float, /) -> None: ...


class EncodedResult(NamedTuple):
    """The JSON of a response, its outcome (OK or the code of its first error), and whether its `data` is not null.

    `charge` is what it cost, with budgets.
    """

    body: bytes
    outcome: str
    has_data: bool
    charge: Charge | None = None


class Operations:
    """Authorises and runs operations.

    A context may have `fresh()`, which makes the context of each event of a subscription, and a dict `extensions`,
    which becomes part of the response. `timeout` is in seconds. With `budgets`, every operation is charged to the owner
    that is its context's `viewer`, before it runs.
    """

    def __init__(
        self,
        engine: Engine,
        documents: Documents,
        authenticator: Authenticator,
        make_context: MakeContext,
        *,
        timeout: float,
        observe: Observe,
        budgets: Budgets | None = None,
    ) -> None:
        self.deadline = Deadline(timeout)
        self._engine, self._documents = engine, documents
        self._authenticator = authenticator
        self._make_context = make_context
        self._observe = observe
        self._budgets = budgets

    async def viewer(self, token: str, owner: Any = None) -> Viewer:
        """The viewer that a token proves, or the `owner` for whom it acts. Raises Unauthenticated, OutOfScope."""
        viewer = self._authenticator.cached(token) or await self._authenticator.viewer(token)
        return viewer if owner is None else on_behalf(viewer, owner)

    def begin(self, traceparent: str | None) -> Request:
        """A new request over a protocol that sends results one by one; its task and log lines have its ids."""
        return begin(traceparent)

    def prepare(self, parameters: Parameters, viewer: Viewer) -> PreparedOperation:
        """The operation to run. Raises RequestError, or Refused if this viewer or nobody may run it."""
        prepared = self._documents.prepare(parameters)
        require(viewer, SCOPES[prepared.kind])
        return prepared

    def context(
        self,
        viewer: Viewer,
        request: Request,
        idempotency_key: str | None = None,
        resume_after: str | None = None,
    ) -> Any:
        """A new context for one operation; `resume_after` replaces the `after` argument of a resumed subscription."""
        return self._make_context(
            viewer,
            trace_id=request.trace_id,
            request_id=request.id,
            idempotency_key=idempotency_key,
            resume_after=resume_after,
        )

    async def execute(
        self, prepared: PreparedOperation, parameters: Parameters, context: Any, request_id: str
    ) -> EncodedResult:
        """Runs a query or a mutation. Raises RequestError if its variables are invalid, OverBudget."""
        charge = None
        if self._budgets is not None:
            charge = await self._budgets.charge(context.viewer.subject, prepared, parameters.variables)
            context.extensions["budget"] = charge.extension
        result = self._engine.start(prepared, parameters.variables, context)
        if not isinstance(result, ExecutionResult):
            result = await result
        encoded = encode_result(result, context, request_id)
        return encoded._replace(charge=charge) if charge else encoded

    async def subscribe(self, prepared: PreparedOperation, parameters: Parameters, context: Any) -> ResponseStream:
        """Starts a subscription, whose events cost nothing. Raises RequestError, SubscriptionFailed, OverBudget."""
        if self._budgets is not None:
            await self._budgets.charge(context.viewer.subject, prepared, parameters.variables)
        started = await self._engine.subscribe(prepared, parameters.variables, context)
        if isinstance(started, ExecutionResult):
            raise SubscriptionFailed(started.errors or [])
        return started

    def errors_of(self, failure: Exception, request: Request) -> list[dict[str, Any]]:
        """The errors of an operation that ended with an exception; at least one."""
        return format_failure(failure, request.id)

    def record(self, prepared: PreparedOperation | None, outcome: str, started: float, protocol: str) -> None:
        """Counts and logs an operation that began at `started`, in seconds of `perf_counter`."""
        seconds = perf_counter() - started
        kind = prepared.kind if prepared else "unknown"
        self._observe(kind, outcome, seconds)
        name = prepared.name if prepared else None
        log_request(kind=kind, operation=name, outcome=outcome, seconds=round(seconds, 6), protocol=protocol)


def encode_result(result: ExecutionResult, context: Any, request_id: str) -> EncodedResult:
    """The response to an operation that was executed."""
    response: dict[str, Any] = {"data": result.data}
    if result.errors:
        response["errors"] = [format_error(error, request_id) for error in result.errors]
        log_refused(response["errors"])
    if extensions := {**(result.extensions or {}), **(getattr(context, "extensions", None) or {})}:
        response["extensions"] = extensions
    outcome = response["errors"][0]["extensions"]["code"] if result.errors else "OK"
    return EncodedResult(json_codec.encode(response), outcome, result.data is not None)


def header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    """The value of a header, or None."""
    value = headers.get(name)
    return value.decode("latin-1") if value is not None else None
