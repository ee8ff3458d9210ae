"""Logs without secrets, the ids of a request and its trace, and the figures of `/metrics`."""

import logging
import re
import secrets
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import accumulate, count
from typing import Any, NamedTuple, TextIO

import orjson
import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.settings import Settings
from app.structured_log import get_logger, structlog

# https://www.w3.org/TR/trace-context/#traceparent-header: lower case; a later version may go on after a dash.
TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")

HIDDEN = "[redacted]"
SECRET_NAMES = re.compile(r"(?i)authorization|cookie|password|secret|token\Z|api[-_]?key|\Ajwt\Z")
SECRET_TEXT = re.compile(
    r"((?i:\bbearer)\s+)[^\s\"',;]+"
    r"|(://[^\s:/@]*:)\S+(?=@)"  # the password of a URL
    r"|eyJ[\w-]*\.[\w.-]*"  # a JWT, whole or cut off: `{"` in base64url
)


class Request(NamedTuple):
    id: str
    trace_id: str | None


Event = MutableMapping[str, Any]
ProcessorFormatter = structlog.stdlib.ProcessorFormatter

REQUESTS = logging.getLogger("colloquy.request")
log = get_logger(REQUESTS.name)
PROCESS, NUMBERS = secrets.token_hex(4), count(1)
CURRENT: ContextVar[Request | None] = ContextVar("request", default=None)


def begin(traceparent: str | None) -> Request:
    """Name the request of this task and of those it starts; its logs carry both ids from here on."""
    request = Request(f"{PROCESS}-{next(NUMBERS)}", trace_id_of(traceparent) if traceparent else None)
    CURRENT.set(request)
    return request


def trace_id_of(traceparent: str) -> str | None:
    """The 32 hexadecimal digits of a W3C `traceparent`; None if it is not as the standard says."""
    found = TRACEPARENT.fullmatch(traceparent)
    if found is None or (found[1] == "00" and found[3] is not None):
        return None
    return found[2]


class Lines(logging.StreamHandler[TextIO]):
    """The log as JSON, which also takes what is ready to be written as it is."""

    def line(self, **event: Any) -> None:
        with suppress(OSError, ValueError):  # a full disk or a closed file: what is logged was done all the same
            self.stream.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE).decode())
            self.flush()


def log_request(**event: Any) -> None:
    """The line of one request, which holds nothing that could be a secret: structlog would take ten times as long."""
    if not REQUESTS.isEnabledFor(logging.INFO):  # structlog binds before it looks
        return
    handler = logging.root.handlers[0] if logging.root.handlers else None
    if not isinstance(handler, Lines):
        log.info("request", **event)
        return
    now = datetime.now(UTC).isoformat(timespec="microseconds")[:26] + "Z"
    named = with_ids(None, "", event)
    handler.line(**named, event="request", level="info", logger=REQUESTS.name, timestamp=now)


def with_ids(_: Any, __: str, event: Event) -> Event:
    if request := CURRENT.get():
        event["request_id"] = request.id
        if request.trace_id:
            event["trace_id"] = request.trace_id
    return event


def without_secrets(_: Any, __: str, event: Event) -> Event:
    return {name: redacted(value, name) for name, value in event.items()}


def redacted(value: Any, name: Any = "") -> Any:
    """The same value without what is called a secret or looks like one, however deep."""
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if isinstance(name, str) and SECRET_NAMES.search(name):
        return HIDDEN
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return SECRET_TEXT.sub(lambda found: (found[1] or found[2] or "") + HIDDEN, value)
    if isinstance(value, Mapping):
        return {redacted(key): redacted(inner, key) for key, inner in value.items()}
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], str | bytes):
        return [redacted(value[0]), redacted(value[1], value[0])]  # a header
    if isinstance(value, tuple | list | set | frozenset):
        return [redacted(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float) else redacted(repr(value))


def set_up_logs(settings: Settings) -> None:
    """Route structlog, the standard library and uvicorn (start it with `log_config=None`) to one stderr."""
    before: list[structlog.typing.Processor] = [
        with_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*before, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    handler = logging.StreamHandler() if settings.log_format == "console" else Lines()
    handler.setFormatter(formatter(settings.log_format, before))
    logging.root.handlers = [handler]
    logging.root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the demo's requests are logged by the server already


def formatter(log_format: str, before: list[structlog.typing.Processor]) -> ProcessorFormatter:
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            without_secrets,
            console if log_format == "console" else structlog.processors.JSONRenderer(),
        ],
    )


KINDS = ("query", "mutation", "subscription", "unknown")  # unknown: refused before its kind was known
OUTCOMES = (
    "OK",
    "ERROR",  # answered, with fields that failed
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND",
    "BAD_USER_INPUT",
    "TIMEOUT",
    "RATE_LIMITED",
    "QUERY_TOO_COMPLEX",
    "INTERNAL",
    "OTHER",
)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Tally(Collector):
    """Operations counted as plain numbers, a fifth of the library's price: one thread, no locks."""

    def __init__(self) -> None:
        self.counts = {(kind, outcome): 0 for kind in KINDS for outcome in OUTCOMES}
        self.buckets = {kind: [0] * (len(SECONDS) + 1) for kind in KINDS}
        self.seconds = dict.fromkeys(KINDS, 0.0)

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("colloquy_requests", "Operations answered.", labels=["kind", "outcome"])
        for labels, number in self.counts.items():
            requests.add_metric(labels, number)
        yield requests
        times = HistogramMetricFamily("colloquy_request_seconds", "From request to answer.", labels=["kind"])
        for kind, buckets in self.buckets.items():
            upto = zip([*map(str, SECONDS), "+Inf"], accumulate(buckets), strict=True)
            times.add_metric([kind], list(upto), self.seconds[kind])
        yield times


class Counts(Collector):
    """Counts that somebody else keeps, read when somebody looks."""

    def __init__(self, name: str, says: str, label: str, read: Callable[[], Mapping[str, int]]) -> None:
        self.name, self.says, self.label, self.read = name, says, label, read

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self.name, self.says, labels=[self.label])
        for value, number in self.read().items():
            family.add_metric([value], number)
        yield family


class Metrics:
    """One application's figures, in a registry of their own: a process may hold several applications."""

    content_type = prometheus_client.CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._tally = Tally()
        registry.register(self._tally)
        self._pool = Gauge("colloquy_pool_connections", "Database connections.", ["state"], registry=registry)
        self.subscribers = Gauge("colloquy_subscribers", "Live subscriptions.", registry=registry)
        self.sockets = Gauge("colloquy_sockets", "Open websockets.", registry=registry)
        self.streams = Gauge("colloquy_event_streams", "Open event streams (SSE).", registry=registry)
        self.bus = Gauge("colloquy_bus_healthy", "Wake-ups come at once; 0: readers poll.", registry=registry)
        self._swept = Counter("colloquy_swept", "What the sweeper has done.", ["step"], registry=registry)

    def swept(self, step: str, count: int) -> None:
        """Count what the sweeper has done in one batch."""
        self._swept.labels(step).inc(count)

    def answered(self, kind: str, outcome: str, seconds: float) -> None:
        """Count one operation: its kind, OK or ERROR or its first error's code, its time in seconds."""
        tally = self._tally
        if (kind, outcome) not in tally.counts:
            outcome = "OTHER"
        tally.counts[kind, outcome] += 1
        tally.buckets[kind][bisect_left(SECONDS, seconds)] += 1
        tally.seconds[kind] += seconds

    def watch_pool(self, **states: Callable[[], float]) -> None:
        """Ask these when somebody looks: `watch_pool(idle=lambda: pool.idle)`."""
        for state, read in states.items():
            self._pool.labels(state).set_function(read)

    def watch_counts(self, name: str, says: str, label: str, read: Callable[[], Mapping[str, int]]) -> None:
        """Show counts kept elsewhere: `name` with one label, whose values must be few."""
        self.registry.register(Counts(name, says, label, read))

    def page(self) -> bytes:
        """What `/metrics` answers, of `content_type`."""
        return prometheus_client.generate_latest(self.registry)
