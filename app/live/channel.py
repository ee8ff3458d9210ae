"""One subject as this process follows it: one reader, however many listen, and no task while nothing happens."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

from app.live.reader import Batch, P, Reader


class Listener(Protocol):
    """Whoever is told what a channel reads."""

    def hear(self, batch: Batch[Any], /) -> Awaitable[None]:
        """All of a batch, for whoever listens at this moment. What is awaited does not raise."""


L = TypeVar("L", bound=Listener)


class Channel(Generic[P]):
    """Woken by the bus, reads what is new and tells it to all who listen; they are at the same place."""

    __slots__ = ("_due", "_has_read", "_listeners", "_looking", "failure", "place", "reader", "streams")

    def __init__(self, reader: Reader[P]) -> None:
        self.reader = reader
        self.streams = 0
        """How many streams use it, listening or not."""
        self.place: P | None = None
        self.failure: Exception | None = None
        """Why the newest look failed: it is due again, whenever somebody wakes it."""
        self._listeners: dict[Hashable, Listener] = {}
        self._looking: asyncio.Task[None] | None = None
        self._has_read: asyncio.Future[None] | None = None
        self._due = False

    def wake(self, number: int | None) -> None:
        """Something moved to `number`; None when nobody knows."""
        if number is not None and self.place is not None and self.reader.has_told(self.place, number):
            return
        self._due = True
        if self._listeners and self._looking is None:
            self._looking = asyncio.create_task(self._look())

    def join(self, key: Hashable, make: Callable[[], L], place: P) -> L | None:
        """The listener of this key, who hears what comes after `place`; None if the channel is at another place."""
        if not self._listeners:
            if self.place is not None and not place.meets(self.place):
                self._due = True  # those who have left may have been told what this one has not
            self.place = place
        elif self.place is None or not place.meets(self.place):
            return None
        listener = self._listeners.get(key)
        if listener is None:
            listener = self._listeners[key] = make()
        if self._due:
            self.wake(None)
        return listener  # type: ignore[return-value]  # keys of one kind name listeners of one kind

    def leave(self, key: Hashable) -> None:
        """The listener of this key hears no more."""
        self._listeners.pop(key, None)
        if not self._listeners:
            self.failure = None  # nobody is behind; whoever joins next has read for itself

    async def look(self) -> None:
        """Returns once the channel has read anew or could not; while it is woken, it goes on without end."""
        self.wake(None)
        if self._looking is not None:
            if self._has_read is None:
                self._has_read = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._has_read])

    async def _look(self) -> None:
        try:
            while self._due and self._listeners:
                self._due = False
                await self._read()
                self.failure = None
        except Exception as error:
            self.failure = error if self._listeners else None
        finally:
            self._looking = None
            self._say_read()

    async def _read(self) -> None:
        since = self.place
        assert since is not None  # somebody listens
        batch = await self.reader.read(since)
        self._say_read()
        if self.place is not since:
            self._due = True  # all who listened have left, and others are at another place
            return
        self.place, self._due = batch.place, self._due or batch.more
        if batch.events:
            told = [listener.hear(batch) for listener in self._listeners.values()]
            await (told[0] if len(told) == 1 else asyncio.gather(*told))
        if self.reader.pause:
            await asyncio.sleep(self.reader.pause)

    def _say_read(self) -> None:
        if self._has_read is not None:
            self._has_read.set_result(None)
            self._has_read = None
