"""The way from a write to a subscriber in its trace: wake-up and delivery, in one process and between two."""

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.live.bus import Bus
from app.tracing.wake_ups import MAX_SENT_CAUSES, MAX_UNSENT, WakeUps
from harness.otlp_receiver import receiving
from tests.support.servers import server_process
from tests.tracing.conftest import sending_to
from tests.tracing.traces import appends, new_caller


async def test_a_delivery_belongs_to_the_trace_of_the_write_that_caused_it(ann, bob, collector):
    session, others = await ann.creates_session(), await bob.creates_session()
    caller = new_caller()
    async with ann.follows(session) as events, ann.follows(session) as same, bob.follows(others) as strangers:
        for stream in (events, same, strangers):
            await stream.until("CaughtUp")
        await appends(ann, session, caller)
        await events.until("MessageAdded")
        delivery = await collector.span("deliver", caller.trace)
        operation = await collector.span("mutation", caller.trace)
        wake_up = await collector.span("wake-up", caller.trace)
    assert (wake_up.kind, wake_up.parent) == ("producer", operation.id)
    assert (delivery.kind, delivery.parent) == ("consumer", wake_up.id)
    assert delivery.attributes["colloquy.subscribers"] == 2  # both of the owner's, and not the stranger's
    assert delivery.attributes["colloquy.events"] == 2  # the message, and the session that became ACTIVE
    assert (await collector.span("session_changes.after", caller.trace)).parent == delivery.id
    assert [span for span in collector.of_trace(caller.trace) if span.name == "deliver"] == [delivery]


async def test_each_of_several_writes_is_the_parent_or_a_link_of_a_delivery(ann, collector):
    session, callers = await ann.creates_session(), [new_caller() for _ in range(12)]
    async with ann.watches() as events:
        await events.until("CaughtUp")
        await asyncio.gather(*(appends(ann, session, caller) for caller in callers))
        sent = [(await collector.span("wake-up", caller.trace)).id for caller in callers]
        while set(sent) - (caused := causes(collector, callers)):
            await asyncio.sleep(0.02)
    assert set(sent) <= caused


def causes(collector, callers):
    """The spans that are a parent or a link of a delivery in one of these traces."""
    traces = {caller.trace for caller in callers}
    found = [span for span in collector.spans if span.name == "deliver" and span.trace in traces]
    return {span.parent for span in found} | {span for delivery in found for _, span in delivery.links}


@pytest.mark.parametrize("observed", ["text", "viewer"])
async def test_a_write_on_one_replica_is_the_parent_of_the_delivery_on_another(database_url, observed):
    with receiving() as here, receiving() as there:
        async with (
            server_process(database_url, **sending_to(here.endpoint)) as writer,
            server_process(database_url, **sending_to(there.endpoint)) as reader,
        ):
            ann, caller = writer.user(f"ann-{observed}"), new_caller()
            session = await ann.creates_session()
            at_reader = reader.user(ann.name)
            async with at_reader.follows(session) if observed == "text" else at_reader.watches() as events:
                await events.until("CaughtUp")
                await appends(ann, session, caller)
                await events.until("MessageAdded" if observed == "text" else "SessionChanged")
                delivery = await there.span("deliver", caller.trace)
                wake_up = await here.span("wake-up", caller.trace)
    assert delivery.parent == wake_up.id
    assert [span.name for span in here.of_trace(caller.trace) if span.name == "deliver"] == []


async def test_an_unsampled_write_has_no_delivery(database_url, collector):
    variables = {"OTEL_TRACES_SAMPLER": "parentbased_always_off", "OTEL_SERVICE_NAME": "unsampled"}
    async with server_process(database_url, **sending_to(collector.endpoint, **variables)) as server:
        ann, caller = server.user("ann-unsampled"), new_caller()
        session = await ann.creates_session()
        async with ann.follows(session) as events:
            await events.until("CaughtUp")
            await ann.appends(session, "not sampled")
            await events.until("MessageAdded")
            await appends(ann, session, caller)
            await events.until("MessageAdded")
            await collector.span("deliver", caller.trace)
    assert {span.trace for span in collector.spans if span.service == "unsampled"} == {caller.trace}


async def test_the_spans_of_wake_ups_that_are_never_sent_are_bounded():
    """While the bus is down nothing takes them; the newest ones wait, and the others end."""
    ended = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ended))
    tracer = provider.get_tracer("test")
    wake_ups = WakeUps(tracer, Bus())
    with tracer.start_as_current_span("mutation"):
        for number in range(2 * MAX_UNSENT):
            wake_ups.publish("ann", [(f"session {number}", 1)])
        for _ in range(3 * MAX_SENT_CAUSES):
            wake_ups.publish("bob", [("his", 1)])
    assert len(ended.get_finished_spans()) == MAX_UNSENT + 1 + 2 * MAX_SENT_CAUSES + 1  # the last is the mutation
    assert wake_ups.take("ann", "session 0") == []
    assert len(wake_ups.take("ann", f"session {2 * MAX_UNSENT - 1}")) == 1
    assert len(wake_ups.take("bob", "his")) == MAX_SENT_CAUSES
