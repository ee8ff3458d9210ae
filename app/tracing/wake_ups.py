"""From a commit to the delivery of its events: the wake-up's span, and one for each batch that a channel delivers.

A delivery belongs to the trace of the first write that caused it, and links to the others. So a delivery is recorded
if the write was, and a poll, or a write that was not sampled, has no span.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakValueDictionary

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Tracer

from app.live.bus import OWNER_WIDE, Bus, Subject
from app.live.channel import Channel
from app.live.reader import Batch, P, Reader
from app.live.shared_bus import WAKE_UP_CHANNEL
from app.tracing.spans import span_context_of, traceparent_of

MAX_CAUSES = 32
"""The most writes that one delivery links to."""
MAX_SENT_CAUSES = 4
"""The most causes of one wake-up between processes: a NOTIFY has 8,000 bytes."""
MAX_UNSENT = 1_000
"""The most sessions whose wake-ups have a span until they are sent: a bus may be down for long."""
EVENTS, SUBSCRIBERS = "colloquy.events", "colloquy.subscribers"
# https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/, which is not stable yet
SENT = {"messaging.operation.type": "send", "messaging.destination.name": WAKE_UP_CHANNEL}
RECEIVED = {"messaging.operation.type": "process", "messaging.destination.name": WAKE_UP_CHANNEL}


class WakeUps:
    """The wake-ups of one process: an `app.live.bus.Causes`."""

    def __init__(self, tracer: Tracer, bus: Bus) -> None:
        self._tracer, self._bus = tracer, bus
        self._channels: WeakValueDictionary[Subject, TracedChannel[Any]] = WeakValueDictionary()
        self._unsent: dict[Subject, list[Span]] = {}

    def channel(self, subject: Subject, reader: Reader[Any]) -> "TracedChannel[Any]":
        """A new channel, which receives the causes of its subject."""
        channel = self._channels[subject] = TracedChannel(self._tracer, reader)
        return channel

    def publish(self, owner: str, changes: Iterable[tuple[str, int | None]]) -> None:
        """As `Bus.publish`; the wake-ups of a recorded operation have a span until they are sent."""
        changes = list(changes)
        if trace.get_current_span().is_recording():
            for session_id, revision in dict(changes).items():
                span = self._tracer.start_span("wake-up", kind=SpanKind.PRODUCER, attributes=SENT)
                self._add_cause(owner, session_id, revision, span.get_span_context())
                self._keep((owner, session_id), span)
        self._bus.publish(owner, changes)

    def take(self, owner: str, session_id: str) -> Sequence[str]:
        spans = self._unsent.pop((owner, session_id), [])
        for span in spans:
            span.end()
        return [traceparent_of(span.get_span_context()) for span in spans]

    def received(self, owner: str, session_id: str, revision: int | None, cause: str) -> None:
        write = span_context_of(cause)
        if write.is_valid:
            self._add_cause(owner, session_id, revision, write)

    def _add_cause(self, owner: str, session_id: str, revision: int | None, write: SpanContext) -> None:
        if channel := self._channels.get((owner, session_id)):
            channel.add_cause(write)
        if revision is not None and (channel := self._channels.get((owner, OWNER_WIDE))):
            channel.add_cause(write)

    def _keep(self, subject: Subject, span: Span) -> None:
        """Keeps a span until `take`; the oldest ones make room and end."""
        if subject not in self._unsent and len(self._unsent) >= MAX_UNSENT:
            self.take(*next(iter(self._unsent)))
        spans = self._unsent.setdefault(subject, [])
        if len(spans) >= MAX_SENT_CAUSES:
            spans.pop(0).end()
        spans.append(span)


class TracedChannel(Channel[P]):
    """A channel with a span for each batch that a recorded write caused."""

    __slots__ = ("__weakref__", "_causes", "_tracer")

    def __init__(self, tracer: Tracer, reader: Reader[P]) -> None:
        super().__init__(reader)
        self._tracer = tracer
        self._causes: dict[int, SpanContext] = {}

    def add_cause(self, write: SpanContext) -> None:
        """A write of which this channel is notified next."""
        if len(self._causes) < MAX_CAUSES:
            self._causes[write.span_id] = write

    def notify(self, revision: int | None) -> None:
        super().notify(revision)
        if not self._stale or not self._listeners:  # the change was delivered already, or nobody waits for it
            self._causes.clear()

    async def _read_batch(self) -> None:
        causes, self._causes = self._causes, {}
        span = self._start(list(causes.values()))
        token = attach(trace.set_span_in_context(span, Context()))
        try:
            await super()._read_batch()
        finally:
            detach(token)
            span.end()

    async def _deliver(self, batch: Batch[P]) -> None:
        span = trace.get_current_span()
        span.set_attributes({EVENTS: len(batch.events), SUBSCRIBERS: self.subscriptions})
        await super()._deliver(batch)

    def _start(self, causes: Sequence[SpanContext]) -> Span:
        """The span of a delivery; one that records nothing without a cause."""
        if not causes:
            return trace.INVALID_SPAN
        links = [Link(write) for write in causes[1:]]
        parent = trace.set_span_in_context(NonRecordingSpan(causes[0]), Context())
        return self._tracer.start_span("deliver", parent, SpanKind.CONSUMER, RECEIVED, links)
