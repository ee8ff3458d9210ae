"""Live events to many subscribers: one execution and one encoding for all that select the same.

A subscriber catches up in a task of its own. Then it joins a group and needs no task: the channel's task encodes each
event once and sends it to every member. Nothing is queued. A member whose connection is blocked leaves the group, sends
the rest in a task, and catches up from the rows.
"""

import asyncio
import json
from collections.abc import Awaitable, Coroutine, Hashable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from graphql_compiled.engine import PreparedOperation, ResponseStream

from app.auth import Viewer
from app.live.events import Event, Kind
from app.live.reader import Batch
from app.live.retrying import RETRY_SECONDS
from app.live.subscription import Convert, Subscription
from app.transport.errors import is_transient
from app.transport.operations import encode_result
from app.transport.parameters import Parameters


class EncodedEvent(NamedTuple):
    """The JSON of an event's result, and the cursor after the event."""

    cursor: str
    payload: bytes


class EventSink(Protocol):
    """Takes the events of one subscriber: the client's operation."""

    def send_event(self, event: EncodedEvent, /) -> Awaitable[None] | None:
        """Sends until the connection blocks; what is left to await, or None if everything is sent."""

    def run(self, work: Coroutine[Any, Any, bool], /) -> None:
        """Runs `work` in a task; its result is False if no event will follow."""

    def fail(self, failure: Exception, /) -> None:
        """No event will follow, because of this."""


class Group:
    """The subscribers of a channel that select the same, by their `key`.

    `stream` and `context` are the first member's; `convert` makes the schema's object of an event.
    """

    def __init__(self, key: Hashable, stream: ResponseStream, context: Any, request_id: str, convert: Convert) -> None:
        self.key, self._convert = key, convert
        self._stream, self._context, self._request_id = stream, context, request_id
        self.members: dict[Subscriber, None] = {}
        self._caught_up: EncodedEvent | None = None

    def on_batch(self, batch: Batch[Any]) -> Awaitable[None]:
        return self._deliver(list(self.members), batch)

    async def encode(self, event: Event) -> EncodedEvent:
        """Executes the operation on an event."""
        if event.kind is not Kind.CAUGHT_UP or not self.members:
            return await self._execute(event)
        # All that reconnect while nothing happens receive the same event. A group without members would only keep it.
        if self._caught_up is None or self._caught_up.cursor != event.cursor:
            self._caught_up = await self._execute(event)
        return self._caught_up

    async def _execute(self, event: Event) -> EncodedEvent:
        """Executes, and again while the database is unavailable: no event is lost to that."""
        result = await self._stream.execute_event(self._convert(event))
        while any(map(is_transient, result.errors or ())):
            await asyncio.sleep(RETRY_SECONDS)
            result = await self._stream.execute_event(self._convert(event))
        return EncodedEvent(event.cursor, encode_result(result, self._context, self._request_id).body)

    async def _deliver(self, members: list["Subscriber"], batch: Batch[Any]) -> None:
        try:
            events = [await self.encode(event) for event in batch.events]
        except Exception as failure:
            for member in self._remaining(members):
                member.fail(failure)
            return
        for member in self._remaining(members):
            try:
                member.deliver(events, batch)
            except Exception as failure:  # a fault of this member's connection, which must not reach the others
                member.fail(failure)

    def _remaining(self, members: list["Subscriber"]) -> Iterator["Subscriber"]:
        """Those that have not left in the meantime."""
        return (member for member in members if member in self.members)


class Subscriber:
    """Moves one client's subscription from catching up to membership in a group, and back."""

    __slots__ = ("_group", "_is_member", "_sink", "_subscription")

    def __init__(self, subscription: Subscription[Any], group: Group, sink: EventSink) -> None:
        self._subscription, self._sink = subscription, sink
        self._group = group  # its own, until it joins the group that has the same key
        self._is_member = False

    async def catch_up(self) -> bool:
        """Sends the events up to now and joins the group; False if no event will follow.

        Raises what `Subscription.catch_up` raises.
        """
        while True:
            async for events in self._subscription.catch_up():
                group = self._subscription.listener(self._group.key) or self._group
                for event in events:
                    await self._send(await group.encode(event))
            if self._subscription.ended:
                return False
            if self._join():
                return True
            await self._subscription.wait_for_read()

    def deliver(self, events: Sequence[EncodedEvent], batch: Batch[Any]) -> None:
        """Sends the encoded events of a batch to this member."""
        for count, event in enumerate(events, 1):
            rest = self._sink.send_event(event)
            if rest is not None:
                self._leave()
                self._sink.run(self._fall_behind(rest, events[count:], batch))
                return
        if batch.ended:
            self._leave()
            self._sink.run(_complete())

    def fail(self, failure: Exception) -> None:
        """Ends the operation because of `failure`."""
        self._leave()
        self._sink.fail(failure)

    def close(self) -> None:
        """Leaves the group and ends the subscription."""
        self._leave()
        self._subscription.close()

    def _join(self) -> bool:
        group = self._subscription.join(self._group.key, lambda: self._group)
        if group is None:
            return False
        group.members[self] = None
        self._group, self._is_member = group, True
        return True

    def _leave(self) -> None:
        if self._is_member:
            del self._group.members[self]
            self._is_member = False
            if not self._group.members:
                self._subscription.leave(self._group.key)

    async def _fall_behind(self, rest: Awaitable[None], events: Sequence[EncodedEvent], batch: Batch[Any]) -> bool:
        """Sends the rest of a batch as fast as the client reads, then catches up."""
        await rest
        for event in events:
            await self._send(event)
        if batch.ended:
            return False
        self._subscription.resume_from(batch.position)
        return await self.catch_up()

    async def _send(self, event: EncodedEvent) -> None:
        if (rest := self._sink.send_event(event)) is not None:
            await rest


async def _complete() -> bool:
    return False


def group_key(prepared: PreparedOperation, parameters: Parameters, viewer: Viewer) -> Hashable:
    """Equal for subscribers that receive the same of each event: one operation, equal variables in it, equal rights."""
    below = prepared.nested_variables
    values = {name: value for name, value in parameters.variables.items() if name in below}
    return prepared, json.dumps(values, sort_keys=True), (viewer.subject, viewer.scopes, viewer.roles)
