"""Batched reading by key: a lean dataloader, and the reader that runs one statement for a batch of keys.

What is loaded of which noun is in `app/db/loaders.py`.
"""

from asyncio import Future, get_running_loop
from collections.abc import Callable, Coroutine, Sequence
from functools import cached_property, partial
from typing import Any, Self, TypeVar

import aiodataloader
from graphql_compiled.batch import Batch, BatchValue

from app.db.access.reads import Reads
from app.db.access.statement import Statement
from app.db.access.transaction import Viewer
from app.db.reading.nested import Nested, for_one, parent_arrays
from app.db.reading.page import Slice, Window
from app.db.reading.partial_rows import PartialRows
from app.db.reading.rows import Entity

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R", bound=Entity)
Filters = tuple[tuple[str, Any], ...]


class DataLoader(aiodataloader.DataLoader[K, V]):
    """aiodataloader's, with one future per batch, which is read once something waits for it, and a fast path for keys
    that are loaded already.
    """

    def __init__(self, batch: Callable[[list[K]], Coroutine[Any, Any, list[V]]]) -> None:
        self.batch_load_fn = batch
        self._cache: dict[K, BatchValue[V]] = {}  # type: ignore[assignment]  # a value per key, a future per batch
        self._keys: list[K] = []
        self._values: list[BatchValue[V]] = []
        self._when_read: list[Callable[[], None]] = []
        self._batch: Batch | None = None

    def load(self, key: K) -> BatchValue[V]:  # type: ignore[override]
        """The value of `key`; one batch reads all keys that are requested before something waits for one of them."""
        value = self._cache.get(key)
        if value is None:
            value = self._cache[key] = BatchValue(self._batch or self._begin())
            self._keys.append(key)
            self._values.append(value)
        return value

    def when_read(self, callback: Callable[[], None]) -> None:
        """Calls this once the newest batch is read, before anything that waits for it continues."""
        self._when_read.append(callback)

    def requested(self, key: K) -> BatchValue[V] | None:
        """The value of a key that was loaded before; None for another key."""
        return self._cache.get(key)

    def loaded(self, key: K) -> V:
        """The value of a key that was loaded. Raises KeyError, and InvalidStateError while it is being read."""
        return self._cache[key].result()

    def load_known(self, key: K, value: V) -> BatchValue[V]:
        """As `load` for a value that need not be read: it comes with its batch, so the next level stays one batch."""
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = BatchValue(self._batch or self._begin(), value)
        return found

    def known(self, key: K) -> V | BatchValue[V]:
        """The value of `key` at once if it was read before; otherwise as `load`."""
        found = self._cache.get(key)
        if found is None:
            return self.load(key)
        return found.value if found.batch.done() and found.error is None else found  # type: ignore[return-value]

    def prime(self, key: K, value: V) -> Self:
        """Sets the value of a key that was not loaded before."""
        if key not in self._cache:
            self._cache[key] = BatchValue(self.read_before, value)
        return self

    def clear(self, key: K) -> Self:
        """Forgets the value of a key."""
        self._cache.pop(key, None)
        return self

    @cached_property
    def read_before(self) -> "Future[None]":
        """What primed values wait for."""
        done: Future[None] = get_running_loop().create_future()
        done.set_result(None)
        return done

    def _begin(self) -> Batch:
        self._batch = Batch(self._read)
        return self._batch

    async def _read(self) -> None:
        """Reads the batch. The keys of a failed batch are not cached."""
        batch, keys, values, callbacks = self._batch, self._keys, self._values, self._when_read
        assert batch is not None
        self._batch, self._keys, self._values, self._when_read = None, [], [], []
        try:
            found = await self.batch_load_fn(keys) if keys else []
            for value, row in zip(values, found, strict=True):
                value.value = row
            for callback in callbacks:
                callback()
        except Exception as error:
            for key, value in zip(keys, values, strict=True):
                self.clear(key)
                value.fail(error)
        if not batch.done():
            batch.set_result(None)


class BatchReader:
    """Reads batches for the loaders of one operation, partial rows where the operation needs no more.

    A reader holds no reference to its loaders: with a reference cycle, the rows of an operation would stay in memory
    until the garbage collector runs.
    """

    def __init__(self, db: Reads, viewer: Viewer, partial: PartialRows) -> None:
        self._db, self._viewer, self._partial = db, viewer, partial

    async def by_column(
        self, statement: Statement[R], parameter: str, column: str, keys: Sequence[str]
    ) -> list[R | None]:
        """For each key the row with this value in `column`, or None."""
        rows = await self._rows(statement, **{parameter: keys})
        found = {row[column]: row for row in rows}
        return [found.get(key) for key in keys]

    async def by_parent(self, statement: Statement[R], names: Sequence[str], keys: Sequence[Any]) -> list[R | None]:
        """For each key, a value or a tuple of `names`, the row whose `parent` is the key's index, or None."""
        found: list[R | None] = [None] * len(keys)
        for row in await self._rows(statement, **parent_arrays(names, keys)):
            found[row.parent - 1] = row
        return found

    async def pages(
        self, totals: DataLoader[Any, int], nested: Nested[R], window: Window, filters: Filters, parents: Sequence[Any]
    ) -> list[Slice[R]]:
        """For each parent its page of a nested connection."""
        parameters = nested.order.bounds(window) | dict(filters)
        if len(parents) == 1:
            statement, keys = nested.for_one(window.backward), for_one(nested.names, parents[0])
            rows = [await self._rows(statement, **parameters, **keys)]
        else:
            rows = [[] for _ in parents]
            statement, arrays = nested.for_many(window.backward), parent_arrays(nested.names, parents)
            for row in await self._rows(statement, **parameters, **arrays):
                rows[row.parent - 1].append(row)
        return [
            Slice.of(page, window, partial(totals.load, parent)) for page, parent in zip(rows, parents, strict=True)
        ]

    async def totals(self, nested: Nested[Any], filters: Filters, parents: Sequence[Any]) -> list[int]:
        """For each parent the number of rows of a nested connection."""
        parameters: dict[str, Any] = parent_arrays(nested.names, parents)
        count = nested.stored_count
        if count is None or any(value is not None for _, value in filters):
            count, parameters = nested.count, parameters | dict(filters)
        totals = {row.parent: row.total for row in await self._db.fetch(self._viewer, count, **parameters)}
        return [totals[index] for index in range(1, len(parents) + 1)]

    def _rows(self, statement: Statement[R], **values: Any) -> Coroutine[Any, Any, list[R]]:
        chosen = statement.partial if statement.row in self._partial.rows else statement
        return self._db.fetch(self._viewer, chosen, **values)
