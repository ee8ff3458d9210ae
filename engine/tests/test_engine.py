"""The engine prepares documents once, calls its hooks, and executes queries, mutations and events."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInt,
    GraphQLObjectType,
    GraphQLSchema,
)
from graphql_compiled import outcomes
from graphql_compiled.engine import Engine, RequestError, ResponseStream, VariableCheck


async def tick(_source: Any, info: Any, to: int) -> AsyncIterator[int]:
    if to < 0:
        raise ValueError("no ticks")
    for number in range(to):
        yield number


async def tick_or_fail(source: Any, info: Any, to: int) -> AsyncIterator[int]:
    if to < 0:
        raise ValueError("no ticks")
    return tick(source, info, to)


TO = {"to": GraphQLArgument(GraphQLInt, default_value=3)}
SCHEMA = GraphQLSchema(
    GraphQLObjectType("Query", {
        "one": GraphQLField(GraphQLInt, resolve=lambda *_: 1),
        "twice": GraphQLField(GraphQLInt, TO, resolve=lambda _source, _info, to: to * 2),
        "log": GraphQLField(GraphQLInt, resolve=lambda _source, info: len(info.context)),
    }),
    subscription=GraphQLObjectType("Subscription", {
        "tick": GraphQLField(GraphQLInt, TO, subscribe=tick_or_fail, resolve=lambda event, info, **_: event + len(info.context)),
    }),
)  # fmt: skip


def inspect(_schema: GraphQLSchema, document: DocumentNode) -> Mapping[str | None, VariableCheck]:
    return {}


def make_engine(**options: Any) -> Engine:
    return Engine(SCHEMA, **{"inspect": inspect, "max_tokens": 100, "cache_size": 8, **options})


async def test_a_document_is_prepared_once_and_compiled_at_its_second_run() -> None:
    engine, before = make_engine(), outcomes.copy()
    for _ in range(4):
        prepared = engine.prepare("query ($n: Int) { twice(to: $n) }")
        assert (await engine.execute(prepared, {"n": 4}, [])).data == {"twice": 8}
    assert engine.prepare("query ($n: Int) { twice(to: $n) }") is prepared
    assert outcomes - before == {"first run": 2, "compiled": 2}


@pytest.mark.parametrize(
    ("query", "name", "message"),
    [
        ("{ one", None, "Syntax Error"),
        ("{ two }", None, "Cannot query field"),
        ("{ one }", "Other", "no operation named 'Other'"),
        ("query A { one } query B { one }", None, "several operations"),
        ("fragment F on Query { one }", None, "never used"),
        ("{" + " one" * 100 + "}", None, "tokens"),
    ],
)
def test_a_document_that_is_wrong_is_a_request_error(query: str, name: str | None, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        make_engine().prepare(query, name)


async def test_an_inspector_can_refuse_variables() -> None:
    def refuse_large(variable_values: Mapping[str, Any]) -> list[GraphQLError]:
        return [GraphQLError("too large")] if variable_values.get("n", 0) > 10 else []

    engine = make_engine(inspect=lambda *_: {None: refuse_large})
    prepared = engine.prepare("query ($n: Int) { twice(to: $n) }")
    for _ in range(3):
        assert (await engine.execute(prepared, {"n": 1}, [])).data == {"twice": 2}
        with pytest.raises(RequestError, match="too large"):
            await engine.execute(prepared, {"n": 11}, [])
        with pytest.raises(RequestError, match="Int cannot represent"):
            await engine.execute(prepared, {"n": -(2**40)}, [])


async def test_hooks_see_the_selection_before_anything_is_resolved() -> None:
    async def before(context: list[Any]) -> None:
        context.append("pre-execution hook")

    def on_selection(context: list[Any], fields: frozenset[tuple[str, str]]) -> None:
        context.append(fields)

    engine = make_engine(pre_execution_hooks={"Query.log": before}, on_selection=on_selection)
    context: list[Any] = []
    prepared = engine.prepare("{ log }")
    assert (await engine.execute(prepared, {}, context)).data == {"log": 1}  # on graphql-core: no selection yet
    assert (await engine.execute(prepared, {}, context)).data == {"log": 3}
    assert context[1:] == ["pre-execution hook", {("Query", "log")}]
    without: list[Any] = []
    await engine.execute(engine.prepare("{ one }"), {}, without)
    assert without == []


async def test_each_event_of_a_subscription_has_a_context_of_its_own() -> None:
    engine, before = make_engine(event_context=lambda context: [*context, "event"]), outcomes.copy()
    stream = await engine.subscribe(engine.prepare("subscription { tick }"), {}, ["subscription"])
    assert isinstance(stream, ResponseStream)
    assert [result.data async for result in stream] == [{"tick": 2}, {"tick": 3}, {"tick": 4}]
    assert outcomes - before == {"compiled": 3}


async def test_a_subscription_that_cannot_start_returns_its_errors() -> None:
    engine = make_engine()
    result = await engine.subscribe(engine.prepare("subscription { tick(to: -1) }"), {}, [])
    assert isinstance(result, ExecutionResult)
    assert [error.message for error in result.errors or ()] == ["no ticks"]


def test_introspection_can_be_disabled() -> None:
    with pytest.raises(RequestError, match="introspection"):
        make_engine(introspection=False).prepare("{ __schema { types { name } } }")
    with pytest.raises(RequestError) as refused:
        make_engine(introspection=False).prepare("{ on }")
    assert "one" not in str(refused.value)


def test_nested_variables_are_those_below_the_root_fields() -> None:
    prepared = make_engine().prepare("query ($n: Int, $with: Boolean!) { twice(to: $n) @include(if: $with) }")
    assert prepared.nested_variables == {"with"}
