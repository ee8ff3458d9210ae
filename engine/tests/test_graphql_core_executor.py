"""The drop-ins for graphql-core: compiled at the second execution; unsupported options fall back and are counted."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import graphql
import pytest
from graphql import ExecutionHooks, ExecutionResult, GraphQLSchema, build_schema, parse
from graphql.execution import Executor
from graphql.pyutils import AbortController
from graphql_compiled import execute, execute_sync, outcomes, subscribe

DOCUMENT = "query ($n: Int) { numbers(below: $n) { value } }"


class Numbers:
    def numbers(self, _info: Any, below: int = 3) -> list[dict[str, int]]:
        return [{"value": value} for value in range(below)]

    async def ticks(self, _info: Any) -> AsyncIterator[dict[str, int]]:
        for value in range(3):
            yield {"ticks": value}


@pytest.fixture
def schema() -> GraphQLSchema:
    return build_schema("""
        type Query { numbers(below: Int): [Number!] }
        type Number { value: Int! }
        type Subscription { ticks: Int }
    """)


@pytest.fixture
def ways() -> Iterator[Callable[[], dict[str, int]]]:
    before = outcomes.copy()
    return lambda: dict(outcomes - before)


def test_the_second_execution_of_a_document_is_compiled(schema: GraphQLSchema, ways: Any) -> None:
    document = parse(DOCUMENT)
    for _ in range(3):
        result = execute(schema, document, Numbers(), variable_values={"n": 2})
        assert result == ExecutionResult({"numbers": [{"value": 0}, {"value": 1}]}, None)
    assert ways() == {"first run": 1, "compiled": 2}


def test_execute_sync(schema: GraphQLSchema, ways: Any) -> None:
    document = parse(DOCUMENT)
    for _ in range(2):
        assert execute_sync(schema, document, Numbers()).data == {"numbers": [{"value": n} for n in range(3)]}
    assert ways() == {"first run": 1, "compiled": 1}


async def test_subscribe(schema: GraphQLSchema, ways: Any) -> None:
    stream: Any = subscribe(schema, parse("subscription { ticks }"), Numbers())
    assert [event.data async for event in stream] == [{"ticks": n} for n in range(3)]
    assert ways() == {"first run": 1, "compiled": 2}


def test_a_request_error_is_counted(schema: GraphQLSchema, ways: Any) -> None:
    result = execute(schema, parse(DOCUMENT), Numbers(), variable_values={"n": "two"})
    assert isinstance(result, ExecutionResult)
    assert result.data is None
    assert ways() == {"request error": 1}


class CustomExecutor(Executor[Any]):
    pass


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("middleware", [lambda next_, *args, **kwargs: next_(*args, **kwargs)]),
        ("abort_signal", AbortController().signal),
        ("hooks", ExecutionHooks()),
        ("is_awaitable", lambda _value: False),
        ("executor_class", CustomExecutor),
    ],
)
def test_an_unsupported_option_falls_back(schema: GraphQLSchema, ways: Any, option: str, value: Any) -> None:
    document = parse(DOCUMENT)
    for _ in range(2):
        assert execute(schema, document, Numbers(), **{option: value}) == graphql.execute(schema, document, Numbers())
    assert ways() == {option: 2}


def test_positional_arguments_are_passed_on(schema: GraphQLSchema, ways: Any) -> None:
    options: list[Any] = [None, {"n": 1}, None, None, None, None, 50, False, None, CustomExecutor]
    assert execute(schema, parse(DOCUMENT), Numbers(), *options).data == {"numbers": [{"value": 0}]}  # type: ignore[union-attr]
    assert ways() == {"executor_class": 1}
