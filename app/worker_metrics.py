"""The metrics of several worker processes, added up: `/metrics` of any of them shows all.

Each process writes its values into files of prometheus_client's multiprocess mode, and the library adds the files up.
The library's own metrics would write a file at every operation; ours are plain integers, written once a second and
before a scrape. A worker that is killed takes the counts of its last second with it.
"""

import asyncio
import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.samples import Sample

WRITE_SECONDS = 1.0
LEAST = {
    *("colloquy_budget_store_healthy", "colloquy_bus_healthy", "colloquy_citus_nodes"),
    *("process_start_time_seconds", "process_max_fds"),
}
"""Gauges of which the least value counts; all others are added up."""


class Entry(NamedTuple):
    """A value in a file of one kind: `counter`, `histogram`, or a gauge's way of adding up."""

    kind: str
    key: str
    value: float


class WorkerMetrics:
    """The files of this process in a directory that all workers share."""

    def __init__(self, registry: CollectorRegistry, directory: Path) -> None:
        self._registry, self._directory = registry, directory
        self._files: dict[str, MmapedDict] = {}

    async def write_often(self) -> None:
        """Writes this process's values every WRITE_SECONDS, until it is cancelled."""
        while True:
            self.write()
            await asyncio.sleep(WRITE_SECONDS)

    def write(self) -> None:
        """Writes this process's values."""
        for metric in self._registry.collect():
            for kind, key, value in _entries(metric):
                self._file(kind).write_value(key, value, 0.0)  # type: ignore[no-untyped-call]

    def render(self) -> bytes:
        """The sum over all workers, as the body of `/metrics`. Counts of dead workers stay, their gauges go."""
        self.write()
        for pid in self._dead():
            mark_process_dead(pid, str(self._directory))  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._directory))  # type: ignore[no-untyped-call]
        return prometheus_client.generate_latest(registry)

    def _file(self, kind: str) -> MmapedDict:
        if kind not in self._files:
            path = self._directory / f"{kind}_{os.getpid()}.db"
            self._files[kind] = MmapedDict(str(path))  # type: ignore[no-untyped-call]
        return self._files[kind]

    def _dead(self) -> Iterator[int]:
        for name in glob.glob(str(self._directory / "gauge_*.db")):
            pid = int(name.removesuffix(".db").rpartition("_")[2])
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                yield pid


def _entries(metric: Metric) -> Iterator[Entry]:
    if metric.type == "histogram":
        yield from _histogram(metric)
        return
    kind = "counter" if metric.type == "counter" else f"gauge_live{'min' if metric.name in LEAST else 'sum'}"
    for sample in metric.samples:
        if not sample.name.endswith("_created"):
            yield Entry(kind, _key(metric, sample), sample.value)


def _histogram(metric: Metric) -> Iterator[Entry]:
    """Buckets with what is in each of them alone: the library accumulates, and makes the count."""
    below = 0.0
    for sample in metric.samples:
        if sample.name.endswith("_bucket"):
            yield Entry("histogram", _key(metric, sample), sample.value - below)
            below = 0.0 if sample.labels["le"] == "+Inf" else sample.value
        elif sample.name.endswith("_sum"):
            yield Entry("histogram", _key(metric, sample), sample.value)


def _key(metric: Metric, sample: Sample) -> str:
    key: str = mmap_key(
        metric.name, sample.name, list(sample.labels), list(sample.labels.values()), metric.documentation
    )
    return key
