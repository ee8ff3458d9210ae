"""What all spans share: their parents, and how they end. No span holds what a user wrote."""

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import Span, SpanContext, Status, StatusCode

OUTCOME = "colloquy.outcome"
COST = "colloquy.cost"
REQUEST_ID = "colloquy.request_id"
FAULTS = frozenset({"INTERNAL", "TIMEOUT", "UNAVAILABLE"})
"""Outcomes that are a fault of this side: the span's status is an error."""


def parent_of(headers: dict[str, str]) -> Context:
    """The context of the client's span; empty without one."""
    return propagate.extract(headers, Context())


def traceparent_of(context: SpanContext) -> str:
    """The W3C `traceparent` of a span."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def span_context_of(traceparent: str) -> SpanContext:
    """The span that a `traceparent` names; invalid if it is malformed."""
    return trace.get_current_span(parent_of({"traceparent": traceparent})).get_span_context()


def set_outcome(span: Span, outcome: str) -> None:
    """OK, or the code of the first error."""
    if not span.is_recording():
        return
    span.set_attribute(OUTCOME, outcome)
    if outcome != "OK":
        span.set_attribute(ERROR_TYPE, outcome)
    if outcome in FAULTS:
        span.set_status(Status(StatusCode.ERROR))


def set_failure(span: Span, failure: BaseException) -> None:
    """The kind of an exception, never its message: the message may contain what a user wrote."""
    span.set_attribute(ERROR_TYPE, type(failure).__name__)
    span.set_status(Status(StatusCode.ERROR))


def end(span: Span) -> None:
    """Ends a span that may have ended before."""
    if span.is_recording():
        span.end()
