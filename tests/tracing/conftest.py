"""A collector, and a server process that sends to it."""

from uuid import uuid4

import pytest

from harness.otlp_receiver import receiving
from tests.support.servers import server_process


def sending_to(endpoint, **more):
    """Environment variables of a server that sends to this address, without the delays of the defaults."""
    return {
        "OPENTELEMETRY": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        **more,
    }


@pytest.fixture(scope="module")
def collector():
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
async def traced(database_url, collector):
    async with server_process(database_url, **sending_to(collector.endpoint)) as server:
        yield server


@pytest.fixture
def ann(traced):
    """The owner."""
    return traced.user(f"ann-{uuid4().hex[:12]}")


@pytest.fixture
def bob(traced):
    """The stranger."""
    return traced.user(f"bob-{uuid4().hex[:12]}")
