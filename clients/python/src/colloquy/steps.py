"""Procedures of several operations for both clients: generators that yield an operation and get its result."""

from collections.abc import Generator
from typing import Any, TypeVar

from colloquy.async_client import AsyncClient
from colloquy.client import Client
from colloquy.errors import ColloquyError
from colloquy.operation import Operation, PagedOperation

T = TypeVar("T")
Steps = Generator[Operation[Any], Any, T]


def run(client: Client, steps: Steps[T]) -> T:
    """Sends the operations of `steps` one after the other and returns what `steps` returns."""
    try:
        operation = next(steps)
        while True:
            try:
                result = client.run(operation)
            except ColloquyError as error:
                operation = steps.throw(error)
            else:
                operation = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


async def run_async(client: AsyncClient, steps: Steps[T]) -> T:
    """As `run`, with the asyncio client."""
    try:
        operation = next(steps)
        while True:
            try:
                result = await client.run(operation)
            except ColloquyError as error:
                operation = steps.throw(error)
            else:
                operation = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def every(pages: PagedOperation[T]) -> Steps[list[T]]:
    """All nodes of all pages."""
    nodes: list[T] = []
    cursor, has_next = None, True
    while has_next:
        page = yield pages.after(cursor)
        nodes += page.nodes
        cursor, has_next = page.info.end_cursor, page.info.has_next_page
    return nodes
