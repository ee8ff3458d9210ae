"""A channel: the one reader of a subject in this process, shared by all subscriptions that have caught up."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

from app.live.reader import Batch, P, Reader


class BatchListener(Protocol):
    """Receives the batches that a channel reads."""

    def on_batch(self, batch: Batch[Any], /) -> Awaitable[None]:
        """Delivers a batch to the subscribers of this moment. The awaitable does not raise."""


L = TypeVar("L", bound=BatchListener)


class Channel(Generic[P]):
    """Reads when the bus notifies it, and passes each batch to its listeners, which are all at `position`.

    It has a task only while it reads.
    """

    __slots__ = (
        "_listeners",
        "_read_done",
        "_read_task",
        "_stale",
        "failure",
        "position",
        "reader",
        "subscriptions",
    )

    def __init__(self, reader: Reader[P]) -> None:
        self.reader = reader
        self.subscriptions = 0
        """How many are open, with or without a listener here."""
        self.position: P | None = None
        self.failure: Exception | None = None
        """Why the newest read failed; the next notification starts another one."""
        self._listeners: dict[Hashable, BatchListener] = {}
        self._read_task: asyncio.Task[None] | None = None
        self._read_done: asyncio.Future[None] | None = None
        self._stale = False
        """True if there may be changes after `position`."""

    def notify(self, revision: int | None) -> None:
        """The subject has changed, up to `revision`; None if the revision is unknown."""
        if revision is not None and self.position is not None and self.reader.has_delivered(self.position, revision):
            return
        self._stale = True
        if self._listeners and self._read_task is None:
            self._read_task = asyncio.create_task(self._read_while_stale())

    def listener(self, key: Hashable) -> BatchListener | None:
        """The listener of this key, if one has joined."""
        return self._listeners.get(key)

    def join(self, key: Hashable, make: Callable[[], L], position: P) -> L | None:
        """The listener of this key, which receives all events after `position`; None if the channel is elsewhere."""
        if not self._listeners:
            if self.position is not None and not position.can_join(self.position):
                self._stale = True  # departed listeners may have consumed changes that the newcomer lacks: read again
            self.position = position
        elif self.position is None or not position.can_join(self.position):
            return None
        listener = self._listeners.get(key)
        if listener is None:
            listener = self._listeners[key] = make()
        if self._stale:
            self.notify(None)
        return listener  # type: ignore[return-value]  # keys of one kind name listeners of one kind

    def leave(self, key: Hashable) -> None:
        """Removes the listener of this key."""
        self._listeners.pop(key, None)
        if not self._listeners:
            self.failure = None  # no listener is behind, and the next one will have read by itself

    async def wait_for_read(self) -> None:
        """Returns after one read, which may have failed; the channel may go on reading."""
        self.notify(None)
        if self._read_task is not None:
            if self._read_done is None:
                self._read_done = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._read_done])

    async def _read_while_stale(self) -> None:
        try:
            while self._stale and self._listeners:
                self._stale = False
                await self._read_batch()
                self.failure = None
                if self.reader.min_interval:
                    await asyncio.sleep(self.reader.min_interval)
        except Exception as error:
            self.failure = error if self._listeners else None
        finally:
            self._read_task = None
            self._signal_read_done()

    async def _read_batch(self) -> None:
        since = self.position
        assert since is not None  # there are listeners
        batch = await self.reader.read(since)
        self._signal_read_done()
        if self.position is not since:
            self._stale = True  # all listeners have left, and others have joined at another position
            return
        self.position, self._stale = batch.position, self._stale or batch.more
        if batch.events:
            await self._deliver(batch)

    async def _deliver(self, batch: Batch[P]) -> None:
        deliveries = [listener.on_batch(batch) for listener in self._listeners.values()]
        await (deliveries[0] if len(deliveries) == 1 else asyncio.gather(*deliveries))

    def _signal_read_done(self) -> None:
        if self._read_done is not None:
            self._read_done.set_result(None)
            self._read_done = None
