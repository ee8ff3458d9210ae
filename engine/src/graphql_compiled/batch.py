"""Values of one batch, for loaders that read many keys at once: awaitables that share one future.

    batch = Batch(read)                               # `read` sets the values and then the result of the batch
    values = [BatchValue(batch) for key in keys]      # returned by resolvers

A future for each key costs more than the rest of a batch: the event loop calls each one's callbacks in a turn of their
own. A compiled operation waits for the batch, and takes the values from it. Everything else may await a value.

Nothing is read before something waits for a value. A compiled operation waits when all that is ready is complete: then
the batch has the keys of a whole level. If nothing else is pending, it runs `read` itself, without a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class Batch(asyncio.Future[None]):
    """What many values wait for: done when they are read.

    `read` is called once, when something waits. It sets `value` of each value, or calls `fail`, and then the result of
    the batch. Keys may be added until its coroutine runs.
    """

    def __init__(self, read: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__()
        self._read: Callable[[], Coroutine[Any, Any, None]] | None = read

    def begin(self) -> Coroutine[Any, Any, None] | None:
        """The coroutine that reads the batch, which the caller must run; None if it has begun before."""
        read, self._read = self._read, None
        return None if read is None else read()

    def start(self) -> None:
        """Reads the batch in a task, unless it has begun before."""
        if (reading := self.begin()) is not None:
            self.get_loop().create_task(reading)


class BatchValue(Generic[V]):
    """One value of a batch. Set `value`, or call `fail`, before `batch` is done; `batch` has no result of its own.

    `batch` is a `Batch`, or a future that something else completes.
    """

    __slots__ = ("_traceback", "batch", "error", "value")

    def __init__(self, batch: asyncio.Future[None], value: V | None = None) -> None:
        self.batch = batch
        self.value = value
        self.error: BaseException | None = None
        self._traceback: TracebackType | None = None

    def fail(self, error: BaseException) -> None:
        """Sets the error that `result` raises."""
        self.error, self._traceback = error, error.__traceback__

    def done(self) -> bool:
        """True once the batch is done."""
        return self.batch.done()

    def result(self) -> V:
        """The value. Raises `error`, and asyncio's InvalidStateError before the batch is done.

        Many raise one error: each time its traceback is the one that it came with, or it would grow with each of them.
        """
        self.batch.result()
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)
        return self.value  # type: ignore[return-value]  # set together with the batch

    def __await__(self) -> Generator[Any, None, V]:
        batch = self.batch
        if not batch.done():
            if isinstance(batch, Batch):
                batch.start()
            yield from asyncio.shield(batch).__await__()  # a task that is cancelled must not cancel the batch
        return self.result()


def reading(batch: asyncio.Future[None]) -> Awaitable[None]:
    """What the only one that waits for a batch has to await: its reading, or the batch if that has begun."""
    return (batch.begin() if isinstance(batch, Batch) else None) or batch
