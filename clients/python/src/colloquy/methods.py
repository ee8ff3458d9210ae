"""Client methods made from the functions of `colloquy.operations`: same arguments, and the result of the operation."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from colloquy.operation import Operation, PagedOperation

T = TypeVar("T")
P = ParamSpec("P")


class Runner(Protocol):
    """A client that sends an operation and returns its result."""

    def run(self, operation: Operation[T], /) -> T: ...


class AsyncRunner(Protocol):
    """A client that sends an operation; its result is awaited."""

    def run(self, operation: Operation[T], /) -> Coroutine[Any, Any, T]: ...


def sync_method(build: Callable[P, Operation[T]]) -> Callable[Concatenate[Any, P], T]:
    """A method that returns the result of the operation."""

    @functools.wraps(build)
    def method(self: Runner, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(build(*args, **kwargs))

    return method


def async_method(build: Callable[P, Operation[T]]) -> Callable[Concatenate[Any, P], Awaitable[T]]:
    """A coroutine method that returns the result of the operation."""

    @functools.wraps(build)
    async def method(self: AsyncRunner, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(build(*args, **kwargs))

    return method


def sync_iterator(build: Callable[P, PagedOperation[T]]) -> Callable[Concatenate[Any, P], Iterator[T]]:
    """A method that iterates over all nodes; it requests a page when the iteration reaches it."""

    @functools.wraps(build)
    def method(self: Runner, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        pages, cursor, has_next = build(*args, **kwargs), None, True
        while has_next:
            page = self.run(pages.after(cursor))
            yield from page.nodes
            cursor, has_next = page.info.end_cursor, page.info.has_next_page

    return method


def async_iterator(build: Callable[P, PagedOperation[T]]) -> Callable[Concatenate[Any, P], AsyncIterator[T]]:
    """A method that iterates asynchronously over all nodes; it requests a page when the iteration reaches it."""

    @functools.wraps(build)
    async def method(self: AsyncRunner, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        pages, cursor, has_next = build(*args, **kwargs), None, True
        while has_next:
            page = await self.run(pages.after(cursor))
            for node in page.nodes:
                yield node
            cursor, has_next = page.info.end_cursor, page.info.has_next_page

    return method
