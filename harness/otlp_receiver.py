"""A receiver of OpenTelemetry's protocol (OTLP over HTTP, protobuf): it keeps the spans and metrics of servers."""

import asyncio
import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

WAITS, WAIT_SECONDS = 500, 0.02
KINDS = {WireSpan.SPAN_KIND_SERVER: "server", WireSpan.SPAN_KIND_CLIENT: "client"} | {
    WireSpan.SPAN_KIND_PRODUCER: "producer",
    WireSpan.SPAN_KIND_CONSUMER: "consumer",
    WireSpan.SPAN_KIND_INTERNAL: "internal",
}


class Span(NamedTuple):
    """A span; ids are hexadecimal, `links` are pairs of trace and span."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    links: list[tuple[str, str]]
    failed: bool
    seconds: float


class Receiver:
    """What has arrived. `endpoint` is the address for OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.spans: list[Span] = []
        self.metrics: dict[str, Any] = {}
        """The newest of each name, as protobuf."""
        self.bodies: list[bytes] = []

    def receive(self, path: str, body: bytes) -> None:
        """Keeps what a request contains."""
        self.bodies.append(body)
        if path == "/v1/traces":
            self.spans += spans_in(ExportTraceServiceRequest.FromString(body))
        else:
            request = ExportMetricsServiceRequest.FromString(body)
            scopes = (scope for resource in request.resource_metrics for scope in resource.scope_metrics)
            self.metrics |= {metric.name: metric for scope in scopes for metric in scope.metrics}

    async def span(self, name: str, trace: str) -> Span:
        """The first span of a trace with this name, as soon as it has arrived; KeyError if it does not come."""
        return await self.first(lambda span: (span.name, span.trace) == (name, trace))

    async def first(self, where: Callable[[Span], bool]) -> Span:
        """The first span for which `where` is true, as soon as it has arrived; KeyError if it does not come."""
        for _ in range(WAITS):
            if found := [span for span in self.spans if where(span)]:
                return found[0]
            await asyncio.sleep(WAIT_SECONDS)
        raise KeyError(f"no such span; the newest are {[(span.name, span.trace) for span in self.spans[-20:]]}")

    async def metric(self, name: str) -> Any:
        """The newest metric of a name, as soon as one has arrived."""
        while name not in self.metrics:
            await asyncio.sleep(WAIT_SECONDS)
        return self.metrics[name]

    def of_trace(self, trace: str) -> list[Span]:
        """The spans of a trace that have arrived."""
        return [span for span in self.spans if span.trace == trace]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port of the loopback."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
        server.receiver = receiver
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, *_: Any) -> None:
        """A server that is killed leaves its connection behind."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert isinstance(self.server, _Server)
        self.server.receiver.receive(self.path, body)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


def spans_in(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """The spans of a request."""
    for resource in request.resource_spans:
        service = _attributes(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            yield from (_span(service, span) for span in scope.spans)


def _span(service: str, span: WireSpan) -> Span:
    return Span(
        service,
        span.name,
        KINDS[span.kind],
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        _attributes(span.attributes),
        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        span.status.code == 2,  # STATUS_CODE_ERROR
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
