"""The parts of an application that sends traces and metrics. The standard `OTEL_*` variables configure all of it."""

import asyncio
import os
from functools import partial
from importlib.metadata import version
from threading import Thread
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.semconv.attributes.service_attributes import SERVICE_NAME, SERVICE_VERSION
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from app.db.access.transaction import OnCommit
from app.live.bus import Bus, Subject
from app.live.channel import Channel
from app.live.reader import Reader
from app.settings import Settings
from app.tracing.operations import TracedOperations
from app.tracing.parts import NotInstalled, Parts
from app.tracing.pushed_metrics import PushedMetrics
from app.tracing.requests import TracedRequests
from app.tracing.statements import TracedStatements
from app.tracing.wake_ups import WakeUps

FLUSH_SECONDS = 3.0
"""The longest that a stopping server waits for an exporter."""


class TracedParts(Parts):
    """Spans go to a bounded queue, and a thread of the SDK sends them: no request waits for an exporter."""

    def __init__(self, settings: Settings) -> None:
        assert settings.database_url
        self._resource = resource()
        # The lifespan ends it; the SDK's own end would keep a process that stops for half a minute.
        self._provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        traces, self._exports_metrics = _exports("TRACES"), _exports("METRICS")
        if traces:
            self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("colloquy", version("colloquy-server"))
        self._metrics: PushedMetrics | None = None
        self._wake_ups: WakeUps | None = None
        self.operations = partial(TracedOperations, self._tracer)
        self.statements = partial(TracedStatements, self._tracer, settings.database_url)

    def endpoint(self, app: ASGIApp, route: str) -> ASGIApp:
        return TracedRequests(self._tracer, app, route)

    def channel(self, subject: Subject, reader: Reader[Any]) -> Channel[Any]:
        assert self._wake_ups
        return self._wake_ups.channel(subject, reader)

    def on_commit(self, bus: Bus) -> OnCommit:
        self._wake_ups = bus.causes = WakeUps(self._tracer, bus)
        return self._wake_ups.publish

    def start(self, registry: CollectorRegistry) -> None:
        if self._exports_metrics:
            self._metrics = PushedMetrics(registry, self._resource, OTLPMetricExporter(), asyncio.get_running_loop())
            self._metrics.start()

    async def stop(self) -> None:
        ending = Thread(target=self._end, daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, FLUSH_SECONDS)

    def _end(self) -> None:
        if self._metrics:
            self._metrics.stop(FLUSH_SECONDS / 2)
        self._provider.shutdown()


def resource() -> Resource:
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES name; without a name, `colloquy`."""
    found = Resource.create()
    ours: dict[str, Any] = {}
    if str(found.attributes[SERVICE_NAME]).startswith("unknown_service"):
        ours[SERVICE_NAME] = "colloquy"
    if SERVICE_VERSION not in found.attributes:
        ours[SERVICE_VERSION] = version("colloquy-server")
    return found.merge(Resource(ours))


def _exports(signal: str) -> bool:
    """True unless OTEL_SDK_DISABLED or `none` switches the signal off. Raises NotInstalled for other exporters."""
    name = f"OTEL_{signal}_EXPORTER"
    exporter = os.environ.get(name) or "otlp"
    protocol_name = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
    protocol = os.environ.get(protocol_name) or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    if exporter not in ("otlp", "none"):
        raise NotInstalled(f"{name}: {exporter!r} is not supported; give otlp or none")
    if protocol != "http/protobuf":
        raise NotInstalled(f"{protocol_name}: {protocol!r} is not supported; give http/protobuf, port 4318 by default")
    return exporter == "otlp" and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
