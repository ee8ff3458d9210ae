"""Values of one batch, for loaders that read many keys at once: awaitables that share one future.

    batch = asyncio.get_running_loop().create_future()
    values = [BatchValue(batch) for key in keys]      # returned by resolvers
    ...                                               # the batch is read; each value gets `value`, or fails
    batch.set_result(None)

A future for each key costs more than the rest of a batch: the event loop calls each one's callbacks in a turn of their
own. A compiled operation waits for the batch, and takes the values from it. Everything else may await a value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import TracebackType
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class BatchValue(Generic[V]):
    """One value of a batch. Set `value`, or call `fail`, before `batch` is done; `batch` has no result of its own."""

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
        if not self.batch.done():
            yield from asyncio.shield(self.batch).__await__()  # a task that is cancelled must not cancel the batch
        return self.result()
