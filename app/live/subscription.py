"""A subscription: one client's position in the events of a subject, from its cursor on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from functools import partial
from typing import Any, Generic

from app.live.channel import Channel, L
from app.live.events import Event, Kind
from app.live.reader import Batch, P
from app.live.retrying import when_available

Convert = Callable[[Event], Any]


class Subscription(Generic[P]):
    """Listens before it reads, so no change falls in between; `convert` makes the schema's object of an event.

    Until it has caught up, it reads by itself, at its client's pace. Then it can `join` the subject's channel, which
    reads once for all. If the channel is at another position, the subscription catches up again first.
    """

    __slots__ = ("_after", "_caught_up", "_channel", "_close", "_follow", "_open", "_position", "convert", "ended")

    def __init__(
        self,
        open: Callable[[], Channel[P]],
        close: Callable[[], None],
        convert: Convert,
        after: str | None,
        follow: bool,
    ) -> None:
        self._open, self._close = open, close
        self.convert = convert
        self._after, self._follow = after, follow
        self._channel: Channel[P] | None = None
        self._position: P | None = None
        self._caught_up = False
        self.ended = False
        """True if no event will follow."""

    async def catch_up(self) -> AsyncGenerator[list[Event], None]:
        """The events up to now, batch by batch. Raises Absent, RateLimited; Unavailable only before the first read."""
        if self._channel is None:
            self._channel = self._open()
        reader = self._channel.reader
        behind = True
        if self._position is None:
            self._position, reset, behind = await reader.start(self._after)
            if reset is not None:
                yield [Event(Kind.STREAM_RESET, self._position.cursor, reset)]
        more = behind
        while more:
            batch = await when_available(partial(reader.read, self._position))
            self._position, more, self.ended = batch.position, batch.more, batch.ended
            if batch.events:
                yield batch.events
            if self.ended:
                return
        if not self._caught_up:
            last = Batch([], self._position)
            if behind:
                last = await when_available(partial(reader.finish_replay, self._position))
            self._position, self._caught_up, self.ended = last.position, True, not self._follow
            yield [*last.events, Event(Kind.CAUGHT_UP, self._position.cursor)]

    def listener(self, key: Hashable) -> Any:
        """The channel's listener of this key, if there is one."""
        return None if self._channel is None else self._channel.listener(key)

    def join(self, key: Hashable, make: Callable[[], L]) -> L | None:
        """The channel's listener of this key; None if there is more to catch up with."""
        assert self._channel is not None  # it has caught up
        assert self._position is not None
        return self._channel.join(key, make, self._position)

    def leave(self, key: Hashable) -> None:
        """Removes the channel's listener of this key."""
        if self._channel is not None:
            self._channel.leave(key)

    def resume_from(self, position: P) -> None:
        """Sets where to catch up from, after the client has left the channel."""
        self._position = position

    async def wait_for_read(self) -> None:
        """Returns after the channel has read once."""
        assert self._channel is not None
        await self._channel.wait_for_read()

    def close(self) -> None:
        """Stops listening."""
        if self._channel is not None:
            self._channel = None
            self._close()

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Every event, converted. The server's transport shares channels instead; other GraphQL servers iterate."""
        try:
            while not self.ended:
                async for events in self.catch_up():
                    for event in events:
                        yield self.convert(event)
                if not self.ended:
                    await self._wait_for_batch()
        finally:
            self.close()

    async def _wait_for_batch(self) -> None:
        """Returns once there is something to catch up with."""
        signal = self.join(self, _BatchSignal)
        if signal is None:
            await self.wait_for_read()
            return
        try:
            await signal.received.wait()
        finally:
            self.leave(self)


class _BatchSignal:
    """Is set when a channel has read a batch."""

    def __init__(self) -> None:
        self.received = asyncio.Event()

    async def on_batch(self, _batch: Batch[Any]) -> None:
        self.received.set()
