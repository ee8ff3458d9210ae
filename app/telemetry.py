"""Logs without secrets, request and trace ids, and the metrics of `/metrics`."""

import logging
import re
import secrets
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import accumulate, count
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

import orjson
import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.settings import Settings
from app.structured_log import get_logger, structlog
from app.worker_metrics import WorkerMetrics

# https://www.w3.org/TR/trace-context/#traceparent-header: lower case; a later version may go on after a dash.
TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")

REDACTED = "[redacted]"
SECRET_NAMES = re.compile(r"(?i)authorization|cookie|password|secret|token\Z|api[-_]?key|\Ajwt\Z")
SECRET_TEXT = re.compile(
    r"((?i:\bbearer)\s+)[^\s\"',;]+"
    r"|(://[^\s:/@]*:)\S+(?=@)"  # the password of a URL
    r"|eyJ[\w-]*\.[\w.-]*"  # a JWT, whole or cut off: `{"` in base64url
)


class Request(NamedTuple):
    """The ids of a request; `span` is that of an operation without an HTTP request of its own, while tracing is on."""

    id: str
    trace_id: str | None
    span: Any = None


Event = MutableMapping[str, Any]
ProcessorFormatter = structlog.stdlib.ProcessorFormatter

LINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
REQUESTS = logging.getLogger("colloquy.request")
log = get_logger(REQUESTS.name)
PROCESS_ID, REQUEST_NUMBERS = secrets.token_hex(4), count(1)
CURRENT_REQUEST: ContextVar[Request | None] = ContextVar("request", default=None)


def renew_process_id() -> None:
    """Give a forked process request ids of its own."""
    global PROCESS_ID
    PROCESS_ID = secrets.token_hex(4)


def begin(traceparent: str | None, span: Any = None) -> Request:
    """Give this task, and the tasks it starts, a request id; their log events carry both ids from here on."""
    request = Request(f"{PROCESS_ID}-{next(REQUEST_NUMBERS)}", trace_id_of(traceparent) if traceparent else None, span)
    CURRENT_REQUEST.set(request)
    return request


def trace_id_of(traceparent: str) -> str | None:
    """The 32 hexadecimal digits of a W3C `traceparent`; None if it is not as the standard says."""
    found = TRACEPARENT.fullmatch(traceparent)
    if found is None or (found[1] == "00" and found[3] is not None):
        return None
    return found[2]


class JSONLineHandler(logging.StreamHandler[TextIO]):
    """Writes the log as JSON lines; `line` writes an event without structlog."""

    def line(self, event: Event) -> None:
        """Writes one event, past the layer of the stream that takes text."""
        binary = self.stream.buffer
        try:
            binary.write(orjson.dumps(event, option=LINE))
            binary.flush()
        except (OSError, ValueError):  # a full disk or a closed file must not fail the request
            pass


def log_request(**event: Any) -> None:
    """Log one request. The event holds no secrets, so it skips structlog, which would take ten times as long."""
    if not REQUESTS.isEnabledFor(logging.INFO):  # structlog would bind first
        return
    handler = logging.root.handlers[0] if logging.root.handlers else None
    if not isinstance(handler, JSONLineHandler):
        log.info("request", **event)
        return
    event |= {"event": "request", "level": "info", "logger": REQUESTS.name, "timestamp": datetime.now(UTC)}
    handler.line(add_ids(None, "", event))


def add_ids(_: Any, __: str, event: Event) -> Event:
    if request := CURRENT_REQUEST.get():
        event["request_id"] = request.id
        if request.trace_id:
            event["trace_id"] = request.trace_id
    return event


def redact_event(_: Any, __: str, event: Event) -> Event:
    return {name: redacted(value, name) for name, value in event.items()}


def redacted(value: Any, name: Any = "") -> Any:
    """A copy of the value in which secrets, found by name or by shape at any depth, are replaced."""
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if isinstance(name, str) and SECRET_NAMES.search(name):
        return REDACTED
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return SECRET_TEXT.sub(lambda found: (found[1] or found[2] or "") + REDACTED, value)
    if isinstance(value, Mapping):
        return {redacted(key): redacted(inner, key) for key, inner in value.items()}
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], str | bytes):
        return [redacted(value[0]), redacted(value[1], value[0])]  # a header
    if isinstance(value, tuple | list | set | frozenset):
        return [redacted(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float) else redacted(repr(value))


def set_up_logs(settings: Settings) -> None:
    """Send structlog, the standard library and uvicorn (started with `log_config=None`) to stderr in one format."""
    preprocessors: list[structlog.typing.Processor] = [
        add_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*preprocessors, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    handler = logging.StreamHandler() if settings.log_format == "console" else JSONLineHandler()
    colours = handler.stream.isatty() and not settings.no_color
    handler.setFormatter(formatter(settings.log_format, preprocessors, colours=colours))
    logging.root.handlers = [handler]
    logging.root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error"):  # not uvicorn.access: requests are logged by `log_request`
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the server logs the demo's requests already


@contextmanager
def quiet_requests() -> Iterator[None]:
    """No lines of requests in the block; failures are logged all the same."""
    level = REQUESTS.level
    REQUESTS.setLevel(logging.WARNING)
    try:
        yield
    finally:
        REQUESTS.setLevel(level)


def formatter(log_format: str, preprocessors: list[structlog.typing.Processor], *, colours: bool) -> ProcessorFormatter:
    console = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    return ProcessorFormatter(
        foreign_pre_chain=preprocessors,
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact_event,
            console if log_format == "console" else structlog.processors.JSONRenderer(),
        ],
    )


KINDS = ("query", "mutation", "subscription", "unknown")  # unknown: refused before its kind was determined
OUTCOMES = (
    "OK",
    "ERROR",  # some fields failed
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND",
    "BAD_USER_INPUT",
    "TIMEOUT",
    "UNAVAILABLE",
    "RATE_LIMITED",
    "QUERY_TOO_COMPLEX",
    "DOCUMENT_NOT_TRUSTED",
    "PERSISTED_QUERY_NOT_FOUND",
    "INTERNAL",
    "OTHER",
)
WAKE_UP_BUCKET_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BUCKET_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class RequestCounts(Collector):
    """Counts operations in plain integers, at a fifth of the library's cost: one thread, no locks."""

    def __init__(self) -> None:
        self.counts = {(kind, outcome): 0 for kind in KINDS for outcome in OUTCOMES}
        self.buckets = {kind: [0] * (len(BUCKET_SECONDS) + 1) for kind in KINDS}
        self.seconds = dict.fromkeys(KINDS, 0.0)

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "colloquy_requests", "GraphQL operations by kind and outcome.", labels=["kind", "outcome"]
        )
        for labels, number in self.counts.items():
            requests.add_metric(labels, number)
        yield requests
        times = HistogramMetricFamily("colloquy_request_seconds", "Seconds from request to response.", labels=["kind"])
        for kind, buckets in self.buckets.items():
            upto = zip([*map(str, BUCKET_SECONDS), "+Inf"], accumulate(buckets), strict=True)
            times.add_metric([kind], list(upto), self.seconds[kind])
        yield times


class CollectedCounts(Collector):
    """Counters kept elsewhere, read at each scrape."""

    def __init__(self, name: str, help_text: str, label: str, read: Callable[[], Mapping[str, int]]) -> None:
        self.name, self.help_text, self.label, self.read = name, help_text, label, read

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self.name, self.help_text, labels=[self.label])
        for value, number in self.read().items():
            family.add_metric([value], number)
        yield family


class SharedBus(Protocol):
    """What is counted of the wake-up bus."""

    healthy: bool
    sent: int
    received: int
    connects: int
    disconnects: int
    on_return: Callable[[float], None]


class Metrics:
    """The metrics of one application, in a registry of its own: a test process holds several applications."""

    content_type = prometheus_client.CONTENT_TYPE_LATEST

    def __init__(self, workers_directory: Path | None = None) -> None:
        self.registry = registry = CollectorRegistry()
        self._workers = WorkerMetrics(registry, workers_directory) if workers_directory else None
        Gauge("colloquy_workers", "Processes that serve.", registry=registry).set(1)
        ProcessCollector(registry=registry)
        self._requests = RequestCounts()
        registry.register(self._requests)
        self._pool = Gauge(
            "colloquy_pool_connections", "Open database connections by state.", ["state"], registry=registry
        )
        self.pool_waiting = Gauge(
            "colloquy_pool_waiting", "Tasks that wait for a database connection.", registry=registry
        )
        self.citus_nodes = Gauge(
            "colloquy_citus_nodes", "Nodes of Citus that have rows; 0 on PostgreSQL.", registry=registry
        )
        self.subscribers = Gauge("colloquy_subscribers", "Live subscriptions of this process.", registry=registry)
        self.sockets = Gauge("colloquy_sockets", "Open WebSockets.", registry=registry)
        self.event_streams = Gauge(
            "colloquy_event_streams",
            "Open event streams (server-sent events, and subscriptions in parts).",
            registry=registry,
        )
        self._bus = Gauge(
            "colloquy_bus_healthy", "1: wake-ups between processes arrive; 0: readers poll.", registry=registry
        )
        self._wake_up_seconds = Histogram(
            "colloquy_wakeup_seconds",
            "Seconds from a change until its wake-up came back to the process that sent it.",
            buckets=WAKE_UP_BUCKET_SECONDS,
            registry=registry,
        )
        self._session_cache_bytes = Gauge(
            "colloquy_session_cache_bytes", "Memory of the rows in the session cache.", registry=registry
        )
        self._sweeps = Counter("colloquy_swept", "Rows that the sweeper changed, by step.", ["step"], registry=registry)
        self._sweep_failures = Counter(
            "colloquy_sweep_failures", "Failures of the sweeper, by step.", ["step"], registry=registry
        )

    def record_sweep(self, step: str, changed: int, failed: int) -> None:
        """Count the rows that the sweeper changed in one batch, and those that it failed to change."""
        self._sweeps.labels(step).inc(changed)
        self._sweep_failures.labels(step).inc(failed)

    def record_request(self, kind: str, outcome: str, seconds: float) -> None:
        """Count one operation: kind, outcome (OK, ERROR or its first error's code) and seconds."""
        requests_counted = self._requests
        if (kind, outcome) not in requests_counted.counts:
            outcome = "OTHER"
        requests_counted.counts[kind, outcome] += 1
        requests_counted.buckets[kind][bisect_left(BUCKET_SECONDS, seconds)] += 1
        requests_counted.seconds[kind] += seconds

    def observe_pool(self, **states: Callable[[], float]) -> None:
        """Read these at each scrape: `observe_pool(idle=lambda: pool.idle)`."""
        for state, read in states.items():
            self._pool.labels(state).set_function(read)

    def observe_bus(self, bus: SharedBus) -> None:
        """Read its state and its counts at each scrape, and time the wake-ups that come back to it."""
        self._bus.set_function(lambda: bus.healthy)
        bus.on_return = self._wake_up_seconds.observe
        what = "Wake-ups sent to and received from other processes."
        self.observe_counts("colloquy_wakeups", what, "way", lambda: {"sent": bus.sent, "received": bus.received})
        what = "Connections to the wake-up bus that were opened and lost."
        self.observe_counts("colloquy_bus", what, "what", lambda: {"found": bus.connects, "lost": bus.disconnects})

    def observe_session_cache(self, size: Callable[[], float], counts: Callable[[], Mapping[str, int]]) -> None:
        """Read these at each scrape: its bytes, and its counts."""
        self._session_cache_bytes.set_function(size)
        what = "Values found, not found and evicted; rejections: sessions that were not kept, as at their first read."
        self.observe_counts("colloquy_session_cache", what, "what", counts)

    def observe_standbys(self, outcomes: Mapping[str, int]) -> None:
        """Read at each scrape where reads went."""
        what = "Reads of queries with DATABASE_REPLICA_URLS: on a standby, or why on the primary."
        self.observe_counts("colloquy_standby_reads", what, "outcome", lambda: outcomes)

    def observe_budgets(self, healthy: Callable[[], float], operations: Callable[[], Mapping[str, int]]) -> None:
        """Read these at each scrape: whether what owners spend is shared, and operations by what budgets decided."""
        what = "1: processes share what owners have spent; 0: each counts for itself."
        Gauge("colloquy_budget_store_healthy", what, registry=self.registry).set_function(healthy)
        what = "Operations that the budgets of their owners granted and refused."
        self.observe_counts("colloquy_budget_operations", what, "decision", operations)

    def observe_counts(self, name: str, help_text: str, label: str, read: Callable[[], Mapping[str, int]]) -> None:
        """Export counters kept elsewhere: `name` with one label of few values."""
        self.registry.register(CollectedCounts(name, help_text, label, read))

    async def share(self) -> None:
        """Adds this worker's values to those of the others, until it is cancelled."""
        if self._workers:
            await self._workers.write_often()

    def render(self) -> bytes:
        """The body of `/metrics`, in `content_type`: of all workers."""
        if self._workers:
            return self._workers.render()
        return prometheus_client.generate_latest(self.registry)
