"""The metrics of `/metrics` over OTLP: the same numbers under the same names, read from the same registry."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterator
from threading import Event, Thread
from time import time_ns
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as OTelMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

CUMULATIVE = AggregationTemporality.CUMULATIVE
SCOPE = InstrumentationScope("colloquy")
EVERY_MILLISECONDS = "60000"  # the standard's default


class PushedMetrics(Thread):
    """Sends the metrics of a registry every OTEL_METRIC_EXPORT_INTERVAL milliseconds, and once at the end.

    The event loop reads them, as it does for `/metrics`: they change there.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        resource: Resource,
        exporter: MetricExporter,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(name="colloquy-metrics", daemon=True)
        self._registry, self._resource, self._exporter, self._loop = registry, resource, exporter, loop
        self._interval = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") or EVERY_MILLISECONDS) / 1000
        self._started_at = time_ns()
        self._stopping = Event()

    def run(self) -> None:
        """Sends until `stop`."""
        while not self._stopping.wait(self._interval):
            self._export()
        self._export()
        self._exporter.shutdown()

    def stop(self, seconds: float) -> None:
        """Sends once more, for at most so many seconds."""
        self._stopping.set()
        self.join(seconds)

    def _export(self) -> None:
        self._exporter.export(asyncio.run_coroutine_threadsafe(self._collect(), self._loop).result())

    async def _collect(self) -> MetricsData:
        metrics = list(converted(self._registry, self._started_at, time_ns()))
        return MetricsData([ResourceMetrics(self._resource, [ScopeMetrics(SCOPE, metrics, "")], "")])


def converted(registry: CollectorRegistry, since: int, now: int) -> Iterator[OTelMetric]:
    """The metrics of a registry; `since` and `now` in nanoseconds since 1970."""
    for family in registry.collect():
        match family.type:
            case "counter":
                points = _points(family, f"{family.name}_total", since, now)
                yield OTelMetric(f"{family.name}_total", family.documentation, "", Sum(points, CUMULATIVE, True))
            case "gauge":
                points = _points(family, family.name, since, now)
                yield OTelMetric(family.name, family.documentation, "", Gauge(points))
            case "histogram":
                data = Histogram(list(_histograms(family, since, now)), CUMULATIVE)
                yield OTelMetric(family.name, family.documentation, "", data)


def _points(family: Metric, name: str, since: int, now: int) -> list[NumberDataPoint]:
    return [
        NumberDataPoint(sample.labels, since, now, sample.value) for sample in family.samples if sample.name == name
    ]


def _histograms(family: Metric, since: int, now: int) -> Iterator[HistogramDataPoint]:
    """A point for each combination of labels. Prometheus counts up to a bound, OTLP between two."""
    upto: defaultdict[tuple[tuple[str, str], ...], list[tuple[float, int]]] = defaultdict(list)
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        labels = tuple((name, value) for name, value in sample.labels.items() if name != "le")
        if sample.name == f"{family.name}_bucket":
            upto[labels].append((float(sample.labels["le"]), int(sample.value)))
        elif sample.name == f"{family.name}_sum":
            sums[labels] = sample.value
    for labels, bounds in upto.items():
        counts = [count for _, count in bounds]
        between = [count - before for before, count in zip([0, *counts], counts, strict=False)]
        finite = [bound for bound, _ in bounds[:-1]]
        unknown: Any = None  # the least and the greatest value
        yield HistogramDataPoint(dict(labels), since, now, counts[-1], sums[labels], between, finite, unknown, unknown)
