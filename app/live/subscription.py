"""One client's way through a subject's events: from its cursor on by itself, then with all who follow it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from typing import Any, Generic

from app.live.channel import Channel, L
from app.live.events import Event, Kind
from app.live.reader import Batch, P

Show = Callable[[Event], Any]


class _Bell:
    """Rings when a channel has something to tell."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()

    async def hear(self, _batch: Batch[Any]) -> None:
        self.rung.set()


class Stream(Generic[P]):
    """Events of one subject. `show` makes of them what a client is shown.

    Watch first, then read: the ear is open from `open` to `close`, so nothing falls in between. Who catches up reads
    for itself, at its own pace; who has caught up may `join` the channel, and is told what it reads.
    """

    __slots__ = ("_after", "_caught_up", "_channel", "_close", "_follow", "_open", "_place", "over", "show")

    def __init__(
        self,
        open: Callable[[], Channel[P]],
        close: Callable[[], None],
        show: Show,
        after: str | None,
        follow: bool,
    ) -> None:
        self._open, self._close = open, close
        self.show = show
        self._after, self._follow = after, follow
        self._channel: Channel[P] | None = None
        self._place: P | None = None
        self._caught_up = False
        self.over = False
        """There will be no more events."""

    async def catch_up(self) -> AsyncGenerator[list[Event], None]:
        """What there is to tell now, batch by batch. Raises Absent, RateLimited."""
        if self._channel is None:
            self._channel = self._open()
        reader = self._channel.reader
        if self._place is None:
            self._place, reset = await reader.begin(self._after)
            if reset is not None:
                yield [Event(Kind.STREAM_RESET, self._place.cursor, reset)]
        more = True
        while more:
            batch = await reader.read(self._place)
            self._place, more, self.over = batch.place, batch.more, batch.over
            if batch.events:
                yield batch.events
            if self.over:
                return
        if not self._caught_up:
            batch = await reader.complete(self._place)
            self._place, self._caught_up, self.over = batch.place, True, not self._follow
            yield [*batch.events, Event(Kind.CAUGHT_UP, self._place.cursor)]

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Each event as it is shown, for one reader alone."""
        try:
            while not self.over:
                async for events in self.catch_up():
                    for event in events:
                        yield self.show(event)
                if not self.over:
                    await self._news()
        finally:
            self.close()

    async def _news(self) -> None:
        """Returns once there is something to catch up with."""
        bell = self.join(self, _Bell)
        if bell is None:
            await self.look()
            return
        try:
            await bell.rung.wait()
        finally:
            self.leave(self)

    def join(self, key: Hashable, make: Callable[[], L]) -> L | None:
        """Whoever tells those with this key what comes next; None when there is more to catch up with."""
        assert self._channel is not None  # it has caught up
        assert self._place is not None
        return self._channel.join(key, make, self._place)

    def back(self, place: P) -> None:
        """No longer told by the channel: it catches up from there."""
        self._place = place

    async def look(self) -> None:
        """Returns once the channel has read what there is now."""
        assert self._channel is not None
        await self._channel.look()

    def leave(self, key: Hashable) -> None:
        """Nobody with this key listens any more."""
        if self._channel is not None:
            self._channel.leave(key)

    def close(self) -> None:
        """Closes the ear."""
        if self._channel is not None:
            self._channel = None
            self._close()
