"""One operation that is answered in events: prepared, started, counted."""

from time import perf_counter
from typing import Any

from graphql import ExecutionResult
from graphql_compiled.engine import PreparedOperation, RequestError, ResponseStream

from app.auth import Viewer
from app.telemetry import Request
from app.transport.errors import format_error, format_failure, format_rejection
from app.transport.operations import Operations, Parameters


class Run:
    """From the request to the line in the log; `by` names the wire."""

    __slots__ = ("_by", "_operations", "_outcome", "_prepared", "_started", "request")

    def __init__(self, operations: Operations, request: Request, by: str) -> None:
        self._operations, self._by = operations, by
        self._prepared: PreparedOperation | None = None
        self._started = perf_counter()
        self._outcome = "OTHER"  # ended before there was an answer
        self.request = request

    def prepare(self, parameters: Parameters, viewer: Viewer, **more: str | None) -> tuple[PreparedOperation, Any]:
        """The operation, and what it may touch (`more`: of its context). Raises RequestError, OutOfScope."""
        self._prepared = prepared = self._operations.prepare(parameters, viewer)
        return prepared, self._operations.context(viewer, self.request, **more)

    async def execute(self, prepared: PreparedOperation, parameters: Parameters, context: Any) -> bytes:
        """The response to a query or a mutation. Raises RequestError, TimedOut."""
        running = self._operations.execute(prepared, parameters, context, self.request.id)
        body, self._outcome = await self._operations.deadline.run(running)
        return body

    async def subscribe(self, prepared: PreparedOperation, parameters: Parameters, context: Any) -> ResponseStream:
        """The subscription, once it can begin; then there is no time limit. Raises RequestError, TimedOut, Failed."""
        engine = self._operations.engine
        found = await self._operations.deadline.run(engine.subscribe(prepared, parameters.variables, context))
        if isinstance(found, ExecutionResult):
            raise Failed(found)
        self._outcome = "OK"
        return found

    def errors(self, failure: Exception) -> list[dict[str, Any]]:
        """What the client is told of a failure, and what is counted."""
        match failure:
            case RequestError(errors=errors):
                shown = [format_rejection(error) for error in errors]
            case Failed(errors=errors):
                shown = [format_error(error, self.request.id) for error in errors]
            case _:
                shown = [format_failure(failure, self.request.id)]
        self._outcome = shown[0]["extensions"]["code"]
        return shown

    def refused(self, outcome: str) -> None:
        """Counted and logged without having begun."""
        self._outcome = outcome
        self.done()

    def done(self) -> None:
        """Counted and logged."""
        self._operations.done(self._prepared, self._outcome, self._started, self._by)


class Failed(Exception):
    """A subscription that could not start."""

    def __init__(self, result: ExecutionResult) -> None:
        super().__init__()
        self.errors = result.errors or []
