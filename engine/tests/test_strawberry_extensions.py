"""Schema extensions run on the Schema drop-in as on Strawberry's Schema; what compiled code lacks falls back, counted."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError, ValidationRule, parse
from graphql.execution.incremental import IncrementalExecutor
from graphql_compiled.strawberry import Schema
from strawberry.directive import DirectiveLocation, DirectiveValue
from strawberry.extensions import (
    AddValidationRules,
    DisableIntrospection,
    DisableValidation,
    MaskErrors,
    MaxTokensLimiter,
    ParserCache,
    QueryDepthLimiter,
    SchemaExtension,
    ValidationCache,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionResult

from engine.tests import sample_schema
from engine.tests.strawberry_pair import Pair

BOOKS = "{ books { items { title author { name } } } }"


def pair_with(extension: Callable[[list[Any]], Any], **options: Any) -> tuple[Pair, list[Any], list[Any]]:
    """Two schemas with an extension each, made from the log that it writes to; and the logs."""
    stock_log: list[Any] = []
    compiled_log: list[Any] = []
    one, other = sample_schema.load(), sample_schema.load()
    stock = one.build(strawberry.Schema, extensions=[lambda: extension(stock_log)], **options)
    compiled = other.build(Schema, extensions=[lambda: extension(compiled_log)], **options)
    return Pair(stock, compiled, one.make_context, other.make_context), stock_log, compiled_log


class Recorder(SchemaExtension):
    """Writes down every hook, and what the execution context holds at that moment."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    def record(self, hook: str) -> None:
        context = self.execution_context
        document, result = context.graphql_document is not None, context.result is not None
        self.log.append((hook, document, context.pre_execution_errors, result))

    def on_operation(self) -> Iterator[None]:
        self.record("operation starts")
        yield
        self.record("operation ends")

    async def on_parse(self) -> AsyncIterator[None]:
        self.record("parsing starts")
        await asyncio.sleep(0)
        yield
        self.record("parsing ends")

    def on_validate(self) -> Iterator[None]:
        self.record("validation starts")
        yield
        self.record("validation ends")

    async def on_execute(self) -> AsyncIterator[None]:
        self.record("execution starts")
        yield
        self.record("execution ends")

    def on_stream_result(self, result: Any) -> Iterator[None]:
        self.log.append(result.data)
        yield

    def get_results(self) -> dict[str, Any]:
        return {"hooks": len(self.log)}


async def test_hooks_run_in_the_same_order_with_the_same_state() -> None:
    pair, stock, compiled = pair_with(Recorder)
    result, ways = await pair.execute(BOOKS)
    assert compiled == stock
    assert len(stock) == 3 * 8
    assert result.extensions == {"hooks": 3 * 8}
    assert ways == {"compiled": 1}
    _, ways = await pair.subscribe("subscription { arrivals { title } }")
    assert compiled == stock
    assert ways == {"compiled": 3}


async def test_an_extension_with_resolve_falls_back() -> None:
    class Counter(SchemaExtension):
        def __init__(self, log: list[Any]) -> None:
            self.log = log

        def resolve(self, next_: Any, root: Any, info: Any, *args: Any, **kwargs: Any) -> Any:
            self.log.append(info.field_name)
            return next_(root, info, *args, **kwargs)

    pair, stock, compiled = pair_with(Counter)
    _, ways = await pair.execute(BOOKS)
    assert ways == {"middleware": 1}
    assert compiled == stock != []


async def test_an_operation_directive_falls_back() -> None:
    @strawberry.directive(locations=[DirectiveLocation.FIELD])
    def reverse(value: DirectiveValue[str]) -> str:
        return value[::-1]

    pair = Pair.of_library(directives=[reverse])
    result, ways = await pair.execute("{ books { items { title @reverse } } }")
    assert result.data["books"]["items"][1]["title"] == "dnoceS"
    assert ways == {"middleware": 1}


async def test_a_custom_execution_context_class_falls_back() -> None:
    class Executor(IncrementalExecutor):
        def __init__(self, *args: Any, operation_extensions: Any = None, **options: Any) -> None:
            super().__init__(*args, **options)

    pair = Pair.of_library(execution_context_class=Executor)
    result, ways = await pair.execute(BOOKS)
    assert result.data
    assert ways == {"executor_class": 1}


async def test_incremental_execution_falls_back() -> None:
    one, other = sample_schema.load(), sample_schema.load()
    config = StrawberryConfig(
        scalar_map={one.Isbn: one.ISBN, other.Isbn: other.ISBN}, enable_experimental_incremental_execution=True
    )
    stock, compiled = one.build(strawberry.Schema, config=config), other.build(Schema, config=config)
    _, ways = await Pair(stock, compiled, one.make_context, other.make_context).execute(BOOKS)
    assert ways == {"incremental delivery": 1}


class TitleIsSecret(ValidationRule):
    def enter_field(self, node: Any, *_: Any) -> None:
        if node.name.value == "title":
            self.report_error(GraphQLError("title is secret", node))


@pytest.mark.parametrize(
    ("extension", "is_valid"),
    [
        (lambda: MaskErrors(), True),
        (lambda: MaxTokensLimiter(100), True),
        (lambda: MaxTokensLimiter(5), False),
        (lambda: QueryDepthLimiter(max_depth=3), True),
        (lambda: QueryDepthLimiter(max_depth=1), False),
        (lambda: AddValidationRules([TitleIsSecret]), False),
        (lambda: DisableIntrospection(), True),
        (lambda: DisableValidation(), True),
        (lambda: ParserCache(), True),
        (lambda: ValidationCache(), True),
    ],
)
async def test_strawberrys_own_extensions(extension: Callable[[], SchemaExtension], is_valid: bool) -> None:
    pair = Pair.of_library(extensions=[extension])
    result, ways = await pair.execute(BOOKS)
    assert bool(result.data) is is_valid
    assert ways == ({"compiled": 1} if is_valid else {})
    await pair.execute("{ books { items { lost } } }")
    await pair.execute("{ books { items { damaged } } }")
    await pair.execute("{ __schema { queryType { name } } }")
    await pair.execute("{ nope }")


async def test_rules_that_depend_on_the_request_are_checked_on_every_request() -> None:
    class Rules(SchemaExtension):
        def on_operation(self) -> Iterator[None]:
            context = self.execution_context
            if context.context["user"] == "guest":
                context.validation_rules = (*context.validation_rules, TitleIsSecret)
            yield

    pair = Pair.of_library(extensions=[Rules])
    assert (await pair.execute(BOOKS))[1] == {"compiled": 1}
    result, ways = await pair.execute(BOOKS, user="guest")
    assert [error.message for error in result.errors] == ["title is secret"]
    assert ways == {}
    assert (await pair.execute(BOOKS))[1] == {"compiled": 1}


async def test_token_limits_that_depend_on_the_request_are_checked_on_every_request() -> None:
    class Limit(SchemaExtension):
        def on_operation(self) -> Iterator[None]:
            if self.execution_context.context["user"] == "guest":
                self.execution_context.parse_options["max_tokens"] = 3
            yield

    pair = Pair.of_library(extensions=[Limit])
    assert (await pair.execute(BOOKS))[1] == {"compiled": 1}
    result, _ = await pair.execute(BOOKS, user="guest")
    assert "token" in result.errors[0].message


async def test_an_extension_may_replace_the_document() -> None:
    class Replace(SchemaExtension):
        def on_parse(self) -> Iterator[None]:
            yield
            if "total" not in (self.execution_context.query or ""):
                self.execution_context.graphql_document = parse("{ books { total } }")

    pair = Pair.of_library(extensions=[Replace])
    result, ways = await pair.execute(BOOKS)
    assert result.data == {"books": {"total": 2}}
    assert ways == {"first run": 1}


async def test_an_extension_may_provide_the_result() -> None:
    class Cached(SchemaExtension):
        def on_execute(self) -> Iterator[None]:
            self.execution_context.result = ExecutionResult(data={"cached": True}, errors=None)
            yield

    result, ways = await Pair.of_library(extensions=[Cached]).execute(BOOKS)
    assert result.data == {"cached": True}
    assert ways == {}


@pytest.mark.parametrize("hook", ["on_operation", "on_parse", "on_validate", "on_execute"])
@pytest.mark.parametrize("after", [False, True])
async def test_an_extension_that_fails(hook: str, after: bool) -> None:
    def failing(self: SchemaExtension) -> Iterator[None]:
        if after:
            yield
        raise GraphQLError(f"{hook} failed")
        yield

    extension = type("Failing", (SchemaExtension,), {hook: failing})
    result, _ = await Pair.of_library(extensions=[extension]).execute(BOOKS)
    assert [error.message for error in result.errors] == [f"{hook} failed"]


async def test_stream_executes_queries_too() -> None:
    pair = Pair.of_library()
    for _ in range(3):
        expected, actual = [
            [result async for result in await schema.stream(BOOKS, context_value=make_context())]
            for schema, make_context in (
                (pair.stock, pair.stock_context),
                (pair.compiled, pair.compiled_context),
            )
        ]
        assert [result.data for result in actual] == [result.data for result in expected]
