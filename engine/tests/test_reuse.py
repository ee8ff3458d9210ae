"""Reusable values: a compiled operation takes what they find, and gives them what they were completed to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError, build_schema, execute, parse
from graphql_compiled import compile_operation
from graphql_compiled.plan import PlanNode
from graphql_compiled.reuse import Reusable

SCHEMA = build_schema("""
type Query { shelf(later: Boolean): Shelf shelves: [Shelf!] fails: Int }
type Shelf { name: String! books: [Book!] }
type Book { title: String! }
""")
DOCUMENT = "{ shelf { name books { title } } }"
SHELF = {"name": "top", "books": [{"title": "A first book"}]}


class Shelf(Reusable):
    """Finds what it has kept; `wait`: as an awaitable."""

    name = "top"

    def __init__(self, *, wait: bool = False) -> None:
        self.kept: dict[int, Any] = {}
        self.fields: set[tuple[str, str]] = set()
        self.wait = wait
        self.books = [{"title": "A first book"}]

    def find_completed(self, node: PlanNode) -> Any:
        found = self.kept.get(node.serial)
        return self.later(found) if self.wait else found

    def keep_completed(self, node: PlanNode, completed: Any) -> None:
        self.kept[node.serial] = completed
        self.fields |= node.selected_fields

    async def later(self, found: Any) -> Any:
        await asyncio.sleep(0)
        return found


class Root:
    def __init__(self, shelf: Shelf) -> None:
        self.one = shelf

    def shelf(self, _info: Any, later: bool = False) -> Any:
        if not later:
            return self.one
        future = asyncio.get_running_loop().create_future()
        future.set_result(self.one)
        return future

    def shelves(self, _info: Any) -> list[Shelf]:
        return [self.one, self.one]

    def fails(self, _info: Any) -> int:
        raise GraphQLError("never")


async def run(operation: Any, shelf: Shelf) -> ExecutionResult:
    result = operation.execute(Root(shelf))
    return result if isinstance(result, ExecutionResult) else await result


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("later", ["", "(later: true)"])
async def test_what_was_kept_takes_the_place_of_the_value(wait: bool, later: str) -> None:
    shelf, operation = Shelf(wait=wait), compile_operation(SCHEMA, parse(DOCUMENT.replace("shelf", f"shelf{later}")))
    assert (await run(operation, shelf)).data == {"shelf": SHELF}
    assert list(shelf.kept.values()) == [SHELF]
    assert shelf.fields == {("Shelf", "name"), ("Shelf", "books"), ("Book", "title")}
    shelf.kept = dict.fromkeys(shelf.kept, "kept")
    assert (await run(operation, shelf)).data == {"shelf": "kept"}


@pytest.mark.parametrize("wait", [False, True])
async def test_items_of_a_list_are_found_and_kept(wait: bool) -> None:
    shelf, operation = Shelf(wait=wait), compile_operation(SCHEMA, parse("{ shelves { name } }"))
    assert (await run(operation, shelf)).data == {"shelves": [{"name": "top"}] * 2}
    shelf.kept = dict.fromkeys(shelf.kept, "kept")
    assert (await run(operation, shelf)).data == {"shelves": ["kept", "kept"]}


async def test_each_selection_is_kept_by_itself() -> None:
    shelf = Shelf()
    operations = [compile_operation(SCHEMA, parse(f"{{ shelf {{ {field} }} }}")) for field in ("name", "other: name")]
    for _ in range(2):
        assert [(await run(operation, shelf)).data for operation in operations] == [
            {"shelf": {"name": "top"}},
            {"shelf": {"other": "top"}},
        ]
    assert len(shelf.kept) == 2


async def test_nothing_is_kept_of_an_operation_with_an_error() -> None:
    shelf = Shelf()
    result = await run(compile_operation(SCHEMA, parse("{ shelf { name } fails }")), shelf)
    assert result.data == {"shelf": {"name": "top"}, "fails": None}
    assert shelf.kept == {}


def test_graphql_core_completes_it_as_any_value() -> None:
    shelf = Shelf()
    assert execute(SCHEMA, parse(DOCUMENT), Root(shelf)) == ExecutionResult({"shelf": SHELF}, None)
    assert shelf.kept == {}
