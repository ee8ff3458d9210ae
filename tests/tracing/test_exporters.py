"""What surrounds the spans: start, stop, a collector that is away, log lines, and the metrics that are pushed."""

import json
import os
import socket
import subprocess
import sys

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.db.access.slow_statements import SlowStatements
from app.live.channel import Channel
from app.main import Services
from app.tracing.operations import TracedOperations
from app.tracing.statements import TracedStatements
from app.transport import Operations
from harness.otlp_receiver import receiving
from harness.server_process import ServerProcess
from harness.server_settings import environment_for, settings_for
from tests.support.servers import server_process
from tests.tracing.conftest import sending_to
from tests.tracing.traces import appends, new_caller

NOT_INSTALLED = "import sys; sys.modules['opentelemetry'] = None; from app.cli import main; main()"
INSTALL = "install colloquy-server[otel]"
IMPORTED = """
import sys
from app.main import create_app
from app.settings import Settings
create_app(Settings.load(None))
print([name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf"))])
"""


def run(code, *arguments, **environment):
    variables = os.environ | environment_for("postgresql://nobody@127.0.0.1:1/none", **environment)
    return subprocess.run([sys.executable, "-c", code, *arguments], env=variables, capture_output=True, text=True)


@pytest.fixture
def closed():
    """The address of a port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def silent():
    """The address of a collector that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_without_the_setting_nothing_of_opentelemetry_is_imported():
    assert run(IMPORTED).stdout == "[]\n"
    assert "opentelemetry.sdk" in run(IMPORTED, OPENTELEMETRY="true").stdout


def test_without_the_setting_no_part_is_replaced():
    """No code of tracing lies in the way of a request, a statement, a commit or a delivery."""
    database_url = "postgresql://nobody@127.0.0.1:1/none"
    off, on = (Services(settings_for(database_url, opentelemetry=on)) for on in (False, True))
    endpoint = object()
    assert off.parts.endpoint(endpoint, "/graphql") is endpoint
    assert (type(off.operations()), type(off.db.slow), off.bus.causes) == (Operations, SlowStatements, None)
    assert off.db.on_commit == off.bus.publish
    assert type(off.parts.channel(("ann", ""), None)) is Channel
    assert on.parts.endpoint(endpoint, "/graphql") is not endpoint
    assert (type(on.operations()), type(on.db.slow)) == (TracedOperations, TracedStatements)


def test_a_missing_extra_is_named_at_the_start():
    ended = run(NOT_INSTALLED, "serve", OPENTELEMETRY="true")
    [line] = ended.stderr.splitlines()
    assert (ended.returncode, line.split(":")[0], line.split("; ")[-1]) == (1, "OPENTELEMETRY", INSTALL)
    assert INSTALL not in run(NOT_INSTALLED, "serve", HOST="never").stderr


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "give otlp or none"),
        ("OTEL_METRICS_EXPORTER", "prometheus", "give otlp or none"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "give http/protobuf"),
    ],
)
def test_a_standard_variable_with_an_unsupported_value_is_refused_at_the_start(name, value, expected):
    ended = run("from app.cli import main; main()", "serve", OPENTELEMETRY="true", **{name: value})
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert name.removesuffix("_PROTOCOL") in line
    assert expected in line


@pytest.mark.parametrize("away", ["closed", "silent"])
async def test_a_collector_that_is_away_neither_fails_requests_nor_holds_up_the_stop(database_url, request, away):
    endpoint = request.getfixturevalue(away)
    queue = {"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8"}
    async with server_process(database_url, **sending_to(endpoint, **queue)) as server:
        ann, bob = server.user(f"ann-{away}"), server.user(f"bob-{away}")
        session = await ann.creates_session()
        for number in range(30):
            assert await ann.appends(session, "more spans than the queue holds") == {
                "sequence": number + 1,
                "text": "more spans than the queue holds",
            }
        assert await bob.sees(session, "id") is None
        server.terminate()
        assert await server.wait(20) == 0


async def test_log_lines_have_the_request_id_and_the_trace_id_of_the_span(database_url, tmp_path):
    with receiving() as collector:
        settings = sending_to(collector.endpoint, LOG_LEVEL="info", OTEL_TRACES_SAMPLER="always_on")
        async with httpx2.AsyncClient(timeout=30) as http:
            server = ServerProcess("traced", database_url, tmp_path, http, **settings)
            try:
                await server.ready()
                headers = {"authorization": f"Bearer {server.token('ann-logged')}"}
                answer = await http.post(f"{server.url}/graphql", json={"query": "{ __typename }"}, headers=headers)
            finally:
                server.stop()
    events = [json.loads(line) for line in server.log.read_text().splitlines()]
    [line] = [event for event in events if event["event"] == "request"]
    [operation] = [span for span in collector.spans if span.name == "query"]  # the stop has sent it
    assert line["request_id"] == answer.headers["x-request-id"] == operation.attributes["colloquy.request_id"]
    assert line["trace_id"] == operation.trace


async def test_pushed_metrics_are_those_of_the_scrape(traced, ann, collector):
    session = await ann.creates_session()
    await appends(ann, session, new_caller())
    scrape = (await traced.http.get(f"{traced.url}/metrics")).text
    scraped = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(scrape)
        if family.type in ("counter", "gauge", "histogram") and not family.name.endswith("_created")
    }
    await collector.metric("colloquy_requests_total")
    assert collector.metrics.keys() == scraped
    requests = await metric(collector, "colloquy_requests_total", lambda data: counted(data, "mutation", "OK") >= 2)
    assert requests.sum.is_monotonic
    seconds = await metric(collector, "colloquy_request_seconds", lambda data: of_kind(data, "mutation").count >= 2)
    point = of_kind(seconds, "mutation")
    assert sum(point.bucket_counts) == point.count
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert point.sum > 0


async def metric(collector, name, arrived):
    """The newest metric of a name for which `arrived` is true."""
    while not arrived(found := await collector.metric(name)):
        collector.metrics.pop(name, None)
    return found


def labels(point):
    return {pair.key: pair.value.string_value for pair in point.attributes}


def counted(data, kind, outcome):
    [point] = [point for point in data.sum.data_points if labels(point) == {"kind": kind, "outcome": outcome}]
    return getattr(point, point.WhichOneof("value"))


def of_kind(data, kind):
    [point] = [point for point in data.histogram.data_points if labels(point) == {"kind": kind}]
    return point
