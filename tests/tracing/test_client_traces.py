"""The Python client passes the caller's span on, over HTTP and sockets, if OpenTelemetry is in its process."""

import asyncio
import subprocess
import sys

import pytest
from colloquy import AsyncClient, Client
from opentelemetry.sdk.trace import TracerProvider

WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
from colloquy.http_transport import headers
from colloquy.operations.viewer import viewer
print(sorted(headers(viewer(), "token")))
"""


def ids_of(span):
    """Trace and span, in hexadecimal digits."""
    place = span.get_span_context()
    return f"{place.trace_id:032x}", f"{place.span_id:016x}"


@pytest.fixture
def tracer():
    """A tracer of the caller's process, whose spans are sent nowhere."""
    return TracerProvider(shutdown_on_exit=False).get_tracer("caller")


async def test_requests_and_subscriptions_belong_to_the_span_of_their_caller(ann, bob, collector, tracer):
    async with AsyncClient(ann.url, ann.token) as client, AsyncClient(bob.url, bob.token) as stranger:
        with tracer.start_as_current_span("caller") as span:
            session = (await client.create_session()).session
        trace, id = ids_of(span)
        assert (await collector.span("POST /graphql", trace)).parent == id
        with tracer.start_as_current_span("reader") as span:
            assert len([event async for event in client.events(session.id, follow=False)]) == 1
        trace, id = ids_of(span)
        assert (await collector.span("subscription", trace)).parent == id
        assert await stranger.session(session.id) is None
    assert len([found for found in collector.of_trace(trace) if found.parent == id]) == 1


async def test_the_blocking_client_sends_the_span_of_its_thread(ann, collector, tracer):
    def create():
        with Client(ann.url, ann.token) as client, tracer.start_as_current_span("caller") as span:
            client.create_session()
            return ids_of(span)

    trace, id = await asyncio.to_thread(create)
    assert (await collector.span("POST /graphql", trace)).parent == id


def test_without_opentelemetry_the_client_sends_no_trace():
    ended = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert ended.stdout == "['accept', 'authorization', 'content-type']\n", ended.stderr
