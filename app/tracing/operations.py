"""The span of an operation (https://opentelemetry.io/docs/specs/semconv/graphql/graphql-spans/).

Over HTTP it lies in the span of the request. A socket or an event stream lives longer than a span should: there each
operation has one span, from its request until it has ended or, if it is a subscription, until it waits for events.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from graphql_compiled.engine import PreparedOperation, RequestError, ResponseStream
from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, SpanKind, Tracer

from app import telemetry
from app.errors import BadInput, Refused
from app.telemetry import CURRENT_REQUEST, Request
from app.tracing.spans import COST, REQUEST_ID, end, parent_of, set_failure, set_outcome, traceparent_of
from app.transport import Operations
from app.transport.limits import operation_cost, variable_sizes
from app.transport.operations import EncodedResult
from app.transport.parameters import Parameters

UNKNOWN = "GraphQL Operation"  # the convention's name while the kind is unknown
MAX_NAME_CHARS = 256


class TracedOperations(Operations):
    """Operations with spans."""

    def __init__(self, tracer: Tracer, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        self._tracer = tracer

    def begin(self, traceparent: str | None) -> Request:
        headers = {"traceparent": traceparent} if traceparent else {}
        span = self._tracer.start_span(UNKNOWN, parent_of(headers), SpanKind.SERVER)
        identity = span.get_span_context()
        return telemetry.begin(traceparent_of(identity) if identity.is_valid else traceparent, span)

    async def execute(
        self, prepared: PreparedOperation, parameters: Parameters, context: Any, request_id: str
    ) -> EncodedResult:
        with self._span(prepared, parameters) as span:
            result = await super().execute(prepared, parameters, context, request_id)
            set_outcome(span, result.outcome)
            end(span)
            return result

    async def subscribe(self, prepared: PreparedOperation, parameters: Parameters, context: Any) -> ResponseStream:
        with self._span(prepared, parameters) as span:
            stream = await super().subscribe(prepared, parameters, context)
        attach(trace.set_span_in_context(span))  # what the subscription still reads in this task belongs to its span
        _when_task_ends(partial(_finish, span, "OK"))
        return stream

    def errors_of(self, failure: Exception, request: Request) -> list[dict[str, Any]]:
        errors = super().errors_of(failure, request)
        _finish(request.span, errors[0]["extensions"]["code"])
        return errors

    def record(self, prepared: PreparedOperation | None, outcome: str, started: float, protocol: str) -> None:
        super().record(prepared, outcome, started, protocol)
        if protocol == "http":
            set_outcome(trace.get_current_span(), outcome)
        elif prepared is None and (request := CURRENT_REQUEST.get()):
            _finish(request.span, outcome)

    @contextmanager
    def _span(self, prepared: PreparedOperation, parameters: Parameters) -> Iterator[Span]:
        """The operation's span, which is the current one in the block. A failure of an HTTP request ends it."""
        request = CURRENT_REQUEST.get()
        of_request = request.span if request else None
        span = of_request or self._tracer.start_span(prepared.kind, kind=SpanKind.SERVER)
        if span.is_recording():
            span.update_name(prepared.kind)
            span.set_attributes(self._attributes(prepared, parameters, request.id if request else ""))
        token = attach(trace.set_span_in_context(span))
        try:
            yield span
        except BaseException as failure:
            if of_request is None:
                _fail(span, failure)
            else:  # `errors_of` ends it with the right code, unless the client has cancelled the operation
                _when_task_ends(partial(_fail, span, failure))
            raise
        finally:
            detach(token)

    def _attributes(self, prepared: PreparedOperation, parameters: Parameters, request_id: str) -> dict[str, Any]:
        size = variable_sizes(prepared.definition, parameters.variables)
        cost = operation_cost(self._engine.schema, prepared.document, prepared.definition, size)
        name = {"graphql.operation.name": prepared.name[:MAX_NAME_CHARS]} if prepared.name else {}
        return {"graphql.operation.type": prepared.kind, COST: cost, REQUEST_ID: request_id, **name}


def _when_task_ends(act: Callable[[], None]) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(lambda _: act())


def _finish(span: Span, outcome: str) -> None:
    """Ends a span, unless it has ended with another outcome."""
    set_outcome(span, outcome)
    end(span)


def _fail(span: Span, failure: BaseException) -> None:
    if not span.is_recording():
        return
    match failure:
        case Refused(code=code):
            set_outcome(span, code)
        case RequestError(errors=[first, *_]):
            set_outcome(span, (first.extensions or {}).get("code", BadInput.code))
        case _:
            set_failure(span, failure)
    end(span)
