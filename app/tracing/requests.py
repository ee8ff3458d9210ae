"""The span of an HTTP request (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server)."""

from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.semconv.attributes import http_attributes as http
from opentelemetry.semconv.attributes import network_attributes as network
from opentelemetry.semconv.attributes import url_attributes as url
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.tracing.spans import parent_of, set_failure, traceparent_of

METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
TRACEPARENT = b"traceparent"


class TracedRequests:
    """An ASGI application whose requests have a span.

    The application receives the span's `traceparent` instead of the client's: its log lines and audit rows have the
    trace id, whether the client sent one or not. The query string is left out: it contains variables.
    """

    def __init__(self, tracer: Tracer, app: ASGIApp, route: str) -> None:
        self._tracer, self._app, self._route = tracer, app, route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        span = self._start(scope)

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _set_status(span, message["status"])
            await send(message)

        token = context.attach(trace.set_span_in_context(span))
        try:
            await self._app(_within(scope, span), receive, observed)
        except BaseException as failure:
            set_failure(span, failure)
            raise
        finally:
            context.detach(token)
            span.end()

    def _start(self, scope: Scope) -> Span:
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        attributes: dict[str, Any] = {
            http.HTTP_REQUEST_METHOD: method,
            http.HTTP_ROUTE: self._route,
            url.URL_PATH: scope["path"],
            url.URL_SCHEME: scope["scheme"],
            network.NETWORK_PROTOCOL_VERSION: scope["http_version"],
        }
        name = f"{'HTTP' if method == '_OTHER' else method} {self._route}"
        return self._tracer.start_span(name, _parent(scope), SpanKind.SERVER, attributes)


def _parent(scope: Scope) -> context.Context:
    fields = propagate.get_global_textmap().fields
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return parent_of({name: headers[name] for name in fields if name in headers})


def _within(scope: Scope, span: Span) -> Scope:
    identity = span.get_span_context()
    if not identity.is_valid:  # OTEL_SDK_DISABLED
        return scope
    others = [header for header in scope["headers"] if header[0] != TRACEPARENT]
    return {**scope, "headers": [*others, (TRACEPARENT, traceparent_of(identity).encode())]}


def _set_status(span: Span, status: int) -> None:
    span.set_attribute(http.HTTP_RESPONSE_STATUS_CODE, status)
    if status >= 500:
        span.set_attribute(ERROR_TYPE, str(status))
        span.set_status(Status(StatusCode.ERROR))
