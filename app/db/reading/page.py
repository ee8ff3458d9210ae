"""Keyset pages: the window that a client requests of a connection, and the slice of rows in it.

Forward and backward pages use the same bounds, so they agree under concurrent writes.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.db.access.statement import Row
from app.db.reading.rows import Entity
from app.db.reading.session_cache import KeptSession, What
from app.errors import BadInput
from app.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

R = TypeVar("R", bound=Entity)


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` rows from one end of a connection, between two cursors."""

    limit: int
    backward: bool
    after: str | None
    before: str | None

    @classmethod
    def of(
        cls,
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
        *,
        newest: bool = False,
    ) -> "Window":
        """From a connection's arguments; with neither `first` nor `last`, `newest` takes the last rows.

        Raises BadInput for both `first` and `last`, and for a size outside 1..MAX_PAGE_SIZE.
        """
        if first is not None and last is not None:
            raise BadInput("Ask for first or for last, not for both.")
        for name, size in (("first", first), ("last", last)):
            if size is not None and not 1 <= size <= MAX_PAGE_SIZE:
                raise BadInput(f"{name} must be between 1 and {MAX_PAGE_SIZE}; it is {size}.")
        backward = last is not None or (newest and first is None)
        return cls(first or last or DEFAULT_PAGE_SIZE, backward, after, before)


@dataclass(slots=True)
class Slice(Generic[R]):
    """One page in the connection's order. `total` counts the whole connection, and runs only if it is called."""

    rows: list[R]
    has_next: bool
    has_previous: bool
    total: Callable[[], Awaitable[int]]

    @classmethod
    def of(cls, rows: list[R], window: Window, total: Callable[[], Awaitable[int]]) -> "Slice[R]":
        """From rows that were read nearest end first, with one row more than the window holds if there is one."""
        more = len(rows) > window.limit
        rows = rows[: window.limit]
        if window.backward:
            rows.reverse()
            return cls(rows, window.before is not None, more, total)
        return cls(rows, more, window.after is not None, total)


@dataclass(slots=True)
class KeptSlice(Slice[R]):
    """A page for which the session cache may keep more, in `kept` under `what`, as long as `compared` is equal."""

    kept: KeptSession
    what: What
    compared: tuple[Any, ...]


class Count(Row):
    """The number of rows; with the index of their parent where several parents were requested."""

    parent: int
    total: int
