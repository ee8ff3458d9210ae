"""Logs and metrics: their content, and the secrets that they never contain."""

import errno
import io
import json
import logging
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.auth import mint
from app.settings import Settings
from app.telemetry import Metrics, begin, log_request, redacted, set_up_logs, trace_id_of

SETTINGS = Settings(jwt_secret="s" * 32)
TOKEN = mint(SETTINGS, sub="ann", ttl_seconds=60)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(params=["json", "console"])
def written(request):
    """Returns the log so far, in either format; afterwards logging is configured as before."""
    handlers, level = logging.root.handlers, logging.root.level
    set_up_logs(SETTINGS.model_copy(update={"log_format": request.param}))
    log = io.BytesIO()
    log_to(io.TextIOWrapper(log, write_through=True))
    yield lambda: log.getvalue().decode()
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def log_to(stream):
    handler = logging.root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)


def log_every_way(secret):
    ours, theirs = structlog.get_logger("ours"), logging.getLogger("theirs")
    ours.warning("seen", what=secret, headers=[(b"authorization", f"Bearer {secret}".encode())])
    theirs.warning("seen %s", secret)
    logging.getLogger("uvicorn.error").error("seen Bearer %s", secret)
    try:
        raise RuntimeError(f"cannot reach redis://:{secret}@host with {{'token': '{secret}'}}")
    except RuntimeError:
        ours.exception("seen", nested={"deep": [{"Authorization": secret}]}, jwt=secret)


def test_no_log_line_contains_a_token(written):
    log_every_way(TOKEN)
    assert written().count("seen") == 4
    assert "RuntimeError" in written()
    assert [part for part in TOKEN.split(".") if part in written()] == []


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        ({"token": "abc", "tokens": 3}, {"token": "[redacted]", "tokens": 3}),
        ({"X-Api-Key": "abc", "jwt_secret": b"abc"}, {"X-Api-Key": "[redacted]", "jwt_secret": "[redacted]"}),
        ([(b"cookie", b"a=b"), (b"host", b"a")], [["cookie", "[redacted]"], ["host", "a"]]),
        ("bearer abc.def, next", "bearer [redacted], next"),
        ("postgresql://me:p@ss@host/db", "postgresql://me:[redacted]@host/db"),
        (TOKEN[: len(TOKEN) // 2], "[redacted]"),
        ("http://host:80/path?a=b", "http://host:80/path?a=b"),
    ],
)
def test_a_value_that_is_named_or_looks_like_a_secret_is_redacted(value, logged):
    assert redacted(value) == logged


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(values, st.sampled_from(["Bearer {}", "{}", "x={};", "https://u:{}@h"]))
def test_a_token_is_redacted_at_any_depth(value, around):
    nested = [value, {"a": [{"b": (value, around.format(TOKEN))}]}]
    assert "eyJ" not in json.dumps(redacted(nested)[1])


def test_a_log_line_carries_the_ids_of_its_request(written):
    first = begin(f"00-{TRACE}-00f067aa0ba902b7-01")
    structlog.get_logger("ours").info("one")
    second = begin(None)
    logging.getLogger("theirs").warning("two")
    one, two = written().splitlines()
    assert first.id != second.id
    assert (first.id in one, TRACE in one) == (True, True)
    assert (second.id in two, "trace_id" in two) == (True, False)


class FullDisk(io.BytesIO):
    """A file on a full disk."""

    def write(self, _data):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_line_that_cannot_be_written_raises_nothing(written, capsys):
    log_to(io.TextIOWrapper(FullDisk()))
    log_request(kind="query")


def test_a_request_is_one_line_with_its_ids_and_the_time_in_utc(written):
    request = begin(f"00-{TRACE}-00f067aa0ba902b7-00")
    before = datetime.now(UTC)
    log_request(kind="query", outcome="OK")
    [line] = written().splitlines()
    assert all(part in line for part in (request.id, TRACE, "query", "OK", "colloquy.request"))
    if line.startswith("{"):
        event = json.loads(line)
        assert event["timestamp"].endswith("Z")
        assert before <= datetime.fromisoformat(event["timestamp"]) <= datetime.now(UTC)


def test_the_log_level_applies_to_all_loggers(written):
    structlog.get_logger("ours").debug("too much")
    logging.getLogger("theirs").debug("too much")
    structlog.get_logger("ours").info("just right")
    assert len(written().splitlines()) == 1


@pytest.mark.parametrize(
    "header",
    [f"00-{TRACE}-00f067aa0ba902b7-00", f"cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-brings"],
)
def test_a_traceparent_contains_its_trace_id(header):
    assert trace_id_of(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-more",
        f"cc-{TRACE}-00f067aa0ba902b7-01more",
        f"00-{TRACE}-00f067aa0ba902b7",
        f" 00-{TRACE}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01\n",
    ],
)
def test_a_malformed_traceparent_has_no_trace_id(header):
    assert trace_id_of(header) is None


def test_operations_are_counted_by_kind_and_outcome_with_bounded_labels():
    metrics, other = Metrics(), Metrics()
    metrics.record_request("query", "OK", 0.001)
    metrics.record_request("query", "OK", 99)
    metrics.record_request("mutation", "ANY_TEXT_OF_A_CLIENT", 0.2)
    read = metrics.registry.get_sample_value
    assert read("colloquy_requests_total", {"kind": "query", "outcome": "OK"}) == 2
    assert read("colloquy_requests_total", {"kind": "mutation", "outcome": "OTHER"}) == 1
    assert read("colloquy_request_seconds_bucket", {"kind": "query", "le": "0.001"}) == 1
    assert read("colloquy_request_seconds_bucket", {"kind": "query", "le": "30.0"}) == 1
    assert read("colloquy_request_seconds_bucket", {"kind": "query", "le": "+Inf"}) == 2
    assert read("colloquy_request_seconds_sum", {"kind": "query"}) == 99.001
    assert b"ANY_TEXT" not in metrics.render()
    assert other.registry.get_sample_value("colloquy_requests_total", {"kind": "query", "outcome": "OK"}) == 0


def test_the_metrics_have_the_state_of_the_pool_at_each_request():
    metrics, busy = Metrics(), []
    metrics.observe_pool(busy=lambda: len(busy))
    assert b'colloquy_pool_connections{state="busy"} 0.0' in metrics.render()
    busy.append("a connection")
    assert b'colloquy_pool_connections{state="busy"} 1.0' in metrics.render()


def test_gauges_and_counters_have_their_names_in_the_metrics():
    metrics = Metrics()
    for one_more in (metrics.subscribers, metrics.sockets):
        one_more.inc()
    metrics.observe_counts("colloquy_wakeups", "Hints.", "way", lambda: {"sent": 1, "received": 2})
    lines = set(metrics.render().decode().splitlines())
    assert lines >= {
        "colloquy_subscribers 1.0",
        "colloquy_sockets 1.0",
        'colloquy_wakeups_total{way="sent"} 1.0',
        'colloquy_wakeups_total{way="received"} 2.0',
    }
