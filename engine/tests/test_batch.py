"""Values of batches: as many futures, with one future, and with what positions have in common completed once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from graphql import ExecutionResult, build_schema, execute, parse
from graphql_compiled import compile_operation
from graphql_compiled.batch import Batch, BatchValue

SCHEMA = build_schema("""
type Query { books: [Book!] one: Book }
type Book { title: String! author: Author strict: Author! slow: Author }
type Author { name: String! place: String! friend: Author }
""")
SCHEMA.type_map["Author"].fields["name"].resolve = lambda author, _info: author.name
READS: Counter[str] = Counter()


class Author:
    def __init__(self, loader: Loader, name: str) -> None:
        self.loader, self._name = loader, name

    @property
    def name(self) -> str:
        READS[self._name] += 1
        if self._name == "nameless":
            raise ValueError("no name")
        return self._name

    def place(self, info: Any) -> str:
        return str(info.path.as_list())

    def friend(self, _info: Any) -> BatchValue[Any]:
        return self.loader.load("friend")


class Loader:
    """Reads keys in batches: an author of this name, None for `nobody`, an error for `broken`."""

    def __init__(self) -> None:
        self.cache: dict[str, BatchValue[Any]] = {}
        self.batches: list[list[str]] = []
        self.keys: list[str] = []
        self.batch: Batch | None = None
        self.readers: list[asyncio.Task[Any] | None] = []

    def load(self, key: str) -> BatchValue[Any]:
        if key not in self.cache:
            if self.batch is None:
                self.batch = Batch(self.read)
            self.cache[key] = BatchValue(self.batch)
            self.keys.append(key)
        return self.cache[key]

    async def read(self) -> None:
        self.readers.append(asyncio.current_task())
        self.batches.append(self.keys)
        await asyncio.sleep(0)
        if "cancelled" in self.keys:
            raise asyncio.CancelledError
        for key in self.keys:
            if key == "broken":
                self.cache[key].fail(LookupError(key))
            elif key != "nobody":
                self.cache[key].value = Author(self, key)
        batch, self.batch, self.keys = self.batch, None, []
        assert batch is not None
        if not batch.done():
            batch.set_result(None)


class Book:
    def __init__(self, loader: Loader, author: str) -> None:
        self.title, self.loader, self.key = f"by {author}", loader, author

    def author(self, _info: Any) -> BatchValue[Any]:
        return self.loader.load(self.key)

    strict = author

    async def slow(self, _info: Any) -> Any:
        return await self.loader.load(self.key)


class Root:
    def __init__(self, *authors: str) -> None:
        self.loader = Loader()
        self.books = [Book(self.loader, author) for author in authors]

    def one(self, _info: Any) -> Any:
        future = asyncio.get_running_loop().create_future()
        batch = BatchValue(future, self.books[0])
        asyncio.get_running_loop().call_soon(future.set_result, None)
        return batch


def compiled(document: str, root: Root) -> ExecutionResult:
    READS.clear()

    async def run() -> ExecutionResult:
        result = compile_operation(SCHEMA, parse(document)).execute(root)
        return result if isinstance(result, ExecutionResult) else await result

    return asyncio.run(run())


def by_graphql_core(document: str, root: Root) -> ExecutionResult:
    async def run() -> ExecutionResult:
        result = execute(SCHEMA, parse(document), root)
        return result if isinstance(result, ExecutionResult) else await result

    return asyncio.run(run())


def response(result: ExecutionResult) -> Any:
    return result.data, sorted((str(error.path), error.message) for error in result.errors or ())


@pytest.mark.parametrize(
    "document",
    [
        "{ books { title author { name } } }",
        "{ books { author { name place } } }",
        "{ books { author { friend { name friend { name } } } } }",
        "{ books { slow { name } author { name } } }",
        "{ books { strict { name } } }",
        "{ one { author { name } } }",
    ],
)
@pytest.mark.parametrize(
    "authors", [("ann",), ("ann", "bob", "ann"), ("ann", "nobody"), ("broken", "ann"), ("nameless", "nameless", "bob")]
)
def test_the_response_is_graphql_cores(document, authors):
    assert response(compiled(document, Root(*authors))) == response(by_graphql_core(document, Root(*authors)))


def test_a_level_is_one_batch():
    root = Root("ann", "bob", "ann")
    compiled("{ books { author { friend { name } } } }", root)
    assert root.loader.batches == [["ann", "bob"], ["friend"]]


def test_what_positions_have_in_common_is_completed_once():
    compiled("{ books { author { name } } }", Root("ann", "bob", "ann", "ann"))
    assert READS == {"ann": 1, "bob": 1}


def test_a_resolver_that_reads_its_position_runs_at_every_one():
    result = compiled("{ books { author { name place } } }", Root("ann", "ann"))
    assert [book["author"]["place"] for book in result.data["books"]] == [
        "['books', 0, 'author', 'place']",
        "['books', 1, 'author', 'place']",
    ]
    assert READS == {"ann": 2}


def test_an_error_is_located_at_every_position():
    result = compiled("{ books { author { name } } }", Root("nameless", "nameless"))
    assert [error.path for error in result.errors] == [["books", index, "author", "name"] for index in (0, 1)]


async def test_a_task_that_is_cancelled_leaves_the_batch_to_others():
    loader = Loader()
    tasks = [asyncio.create_task(awaited(loader.load(key))) for key in ("ann", "ann", "bob")]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert [author.name for author in await asyncio.gather(*tasks[1:])] == ["ann", "bob"]


async def awaited(value: BatchValue[Any]) -> Any:
    return await value


async def test_a_value_has_no_result_before_its_batch_is_done():
    value = Loader().load("ann")
    assert not value.done()
    with pytest.raises(asyncio.InvalidStateError):
        value.result()
    assert (await value) is value.result()


async def test_an_error_that_many_raise_keeps_its_traceback():
    loader = Loader()
    values = [loader.load("broken") for _ in range(50)]
    depths = []
    for value in values:
        with pytest.raises(LookupError) as raised:
            await value
        depths.append(len(raised.traceback))
    assert len(set(depths[1:])) == 1


async def executed(document: str, root: Root) -> ExecutionResult:
    result = compile_operation(SCHEMA, parse(document)).execute(root)
    return result if isinstance(result, ExecutionResult) else await result


@pytest.mark.parametrize("authors", [("ann",), ("ann", "bob")])
async def test_a_batch_that_is_all_that_is_pending_is_read_without_a_task(authors):
    root = Root(*authors)
    await executed("{ books { author { friend { name } } } }", root)
    assert root.loader.readers == 2 * [asyncio.current_task()]


async def test_batches_of_one_level_are_read_at_once():
    root, other = Root("ann", "bob"), Loader()
    root.books[1].loader = other
    await executed("{ books { author { name } } }", root)
    assert (root.loader.batches, other.batches) == ([["ann"]], [["bob"]])
    assert asyncio.current_task() not in root.loader.readers + other.readers


async def test_a_resolver_that_awaits_a_value_shares_the_batch_of_its_level():
    root = Root("ann", "bob")
    root.books[1].key = "ann"
    await executed("{ books { slow { name } author { name } } }", root)
    assert root.loader.batches == [["ann"]]


async def test_nothing_is_read_before_something_waits():
    loader = Loader()
    values = [loader.load(key) for key in ("ann", "bob")]
    await asyncio.sleep(0)
    assert loader.batches == []
    assert (await values[1]).name == "bob"
    assert loader.batches == [["ann", "bob"]]


async def test_a_cancelled_operation_cancels_the_read_that_it_runs():
    root = Root("ann")
    task = asyncio.create_task(executed("{ books { author { name } } }", root))
    while not root.loader.readers:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("authors", [("cancelled",), ("cancelled", "ann")])
async def test_a_read_that_ends_cancelled_is_an_error_of_its_positions(authors):
    result = await executed("{ books { author { name } } }", Root(*authors))
    assert result.data == {"books": [{"author": None} for _ in authors]}
    assert len(result.errors) == len(authors)
