"""Compiled operations: what they do besides returning what graphql-core returns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, build_schema, parse
from graphql_compiled import CompiledOperation, Uncompilable, compile_operation, compiled_operation, explain, outcomes
from graphql_compiled.codegen import compile_plan
from graphql_compiled.compiled_operation import MAX_VARIANTS
from graphql_compiled.strawberry import Schema
from strawberry.types import Info

from engine.tests import adversarial_schema
from engine.tests.differential import subscribe_compiled

ADVERSARIAL = adversarial_schema.schema._schema


def compiled(text: str, schema: GraphQLSchema = ADVERSARIAL) -> CompiledOperation:
    return compile_operation(schema, parse(text))


async def execute(operation: CompiledOperation, context: Any = None, **variables: Any) -> ExecutionResult:
    result = operation.execute(context_value=context or adversarial_schema.Context(), variable_values=variables)
    return result if isinstance(result, ExecutionResult) else await result


async def test_without_awaitables_the_result_is_returned_at_once() -> None:
    result = compiled("{ thing(n: 8) { n next { n } } }").execute(context_value=adversarial_schema.Context())
    assert result == ExecutionResult({"thing": {"n": 8, "next": {"n": 9}}}, None)


async def test_the_loads_of_one_level_form_one_batch() -> None:
    context = adversarial_schema.Context()
    text = """{ many(ns: [4, 7, 10]) {
      loaded { __typename }
      awaited { ... on Thing { loaded { __typename } } }
    } }"""
    await execute(compiled(text), context)
    assert context.batches == [[5, 8, 11, 14], [9, 12, 15]]


async def test_the_root_fields_of_a_mutation_execute_serially() -> None:
    context = adversarial_schema.Context()
    result = await execute(compiled('mutation { a: note(word: "slow", wait: true) b: note(word: "quick") }'), context)
    assert result.data == {"a": 1, "b": 2}
    assert context.notes == ["slow", "quick"]


async def test_a_mutation_ends_when_a_null_reaches_the_root() -> None:
    context = adversarial_schema.Context()
    result = await execute(compiled('mutation { refuse { n } note(word: "not executed") }'), context)
    assert result.data is None
    assert context.notes == ["refused"]


async def test_cancelling_an_execution_cancels_its_resolvers() -> None:
    stopped: list[str] = []

    @strawberry.type
    class Query:
        @strawberry.field
        async def endless(self, name: str) -> int:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(name)
            return 1

    operation = compiled('{ a: endless(name: "a") b: endless(name: "b") }', Schema(Query)._schema)
    task = asyncio.ensure_future(execute(operation))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped == ["a", "b"]


async def test_a_cancelled_future_is_an_error_of_its_field_only() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def cancelled(self, info: Info) -> int | None:
            return info.context["future"]  # type: ignore[no-any-return]

        @strawberry.field
        async def completed(self) -> int:
            await asyncio.sleep(0)
            return 1

    future = asyncio.get_running_loop().create_future()
    future.cancel()
    result = await execute(compiled("{ cancelled completed }", Schema(Query)._schema), {"future": future})
    assert result.data == {"cancelled": None, "completed": 1}
    assert result.errors is not None
    assert result.errors[0].path == ["cancelled"]


SEEN: list[tuple[Any, ...]] = []


@strawberry.type
class Described:
    @strawberry.field
    def describe(self, info: Info, word: str = "w") -> str:
        selected = info.selected_fields[0]
        SEEN.append((info.path.as_list(), info.variable_values, selected.name, selected.arguments))  # type: ignore[union-attr]
        return f"{info.field_name} {info.return_type} {info.context['user']} {info.operation.name.value}"


@strawberry.type
class Describing:
    @strawberry.field
    def items(self) -> list[Described]:
        return [Described(), Described()]


async def test_info_describes_the_field_that_is_resolved() -> None:
    operation = compiled("query Q($w: String!) { items { describe(word: $w) } }", Schema(Describing)._schema)
    result = await execute(operation, {"user": "ann"}, w="x")
    assert result.data == {"items": [{"describe": "describe <class 'str'> ann Q"}] * 2}
    assert [(["items", n, "describe"], {"w": "x"}, "describe", {"word": "x"}) for n in (0, 1)] == SEEN


async def test_a_resolver_that_changes_its_arguments_does_not_change_later_calls() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def count(self, words: list[str]) -> int:
            words.append("more")
            return len(words)

    operation = compiled('query ($w: [String!]!) { a: count(words: ["x"]) b: count(words: $w) }', Schema(Query)._schema)
    for _ in range(2):
        assert (await execute(operation, w=["x"])).data == {"a": 2, "b": 2}


async def test_each_combination_of_conditions_is_compiled_once_and_their_number_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plans: list[Any] = []
    monkeypatch.setattr(compiled_operation, "compile_plan", lambda *a, **k: plans.append(a) or compile_plan(*a, **k))
    names = [f"c{n}" for n in range(5)]
    selections = " ".join(f"x{name}: n @include(if: ${name})" for name in names)
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    operation = compiled(f"query ({declared}) {{ thing {{ {selections} }} }}")
    for number in range(32):
        values = {name: bool(number >> index & 1) for index, name in enumerate(names)}
        for _ in range(2):
            result = await execute(operation, **values)
            assert result.data == {"thing": {f"x{name}": 1 for name in names if values[name]}}
    assert len(plans) == 32
    assert len(operation.variants) == MAX_VARIANTS


async def test_a_subscription_is_compiled_once_for_all_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    plans: list[Any] = []
    monkeypatch.setattr(compiled_operation, "compile_plan", lambda *a, **k: plans.append(a) or compile_plan(*a, **k))
    stream: Any = await subscribe_compiled(ADVERSARIAL, parse("subscription { count(to: 3) { n } }"))  # type: ignore[misc]
    assert [event.data async for event in stream] == [{"count": {"n": n}} for n in range(3)]
    assert len(plans) == 1


async def test_what_cannot_be_compiled_falls_back_to_graphql_core_and_is_counted() -> None:
    before = outcomes.copy()
    with pytest.raises(Uncompilable, match="no such operation"):
        compiled("query A { __typename } query B { __typename }")
    operation = compiled("query ($c: Boolean!) { thing { n @include(if: $c) ... @defer(if: false) { n } } }")
    assert (await execute(operation, c=True)).data == {"thing": {"n": 1}}
    assert (await execute(operation)).errors
    with pytest.raises(GraphQLError, match="multiple payloads"):
        await execute(compiled("{ thing { ... @defer { n } } }"))
    assert outcomes - before == {"compiled": 1, "request error": 1, "@defer": 1}


async def test_a_plan_that_is_too_large_is_not_compiled() -> None:
    levels = "n"
    for _ in range(11):
        levels = f"numbered {{ path ... on Thing {{ a: next {{ {levels} }} b: next {{ {levels} }} }} }}"
    with pytest.raises(Uncompilable, match="too many fields"):
        explain(ADVERSARIAL, f"{{ thing {{ {levels} }} }}")


def test_explain_refuses_invalid_documents() -> None:
    with pytest.raises(Uncompilable, match="Cannot query field 'm' on type 'Thing'"):
        explain(ADVERSARIAL, "{ thing { m } }")
    with pytest.raises(Uncompilable, match="Syntax Error"):
        explain(ADVERSARIAL, "{ thing { n ")


def test_explain_returns_readable_python() -> None:
    source = explain(ADVERSARIAL, "{ thing(n: 8) { number: n next { n } } }")
    assert "'number': value_2" in source
    assert "source.n" in source
    compile(source, "explained", "exec")


async def test_names_that_are_not_identifiers_stay_strings() -> None:
    schema = build_schema("type Query { def: Int, class(is: Int): Query }")
    root: Any = {"def": 1, "class": lambda _info, **arguments: {"def": arguments["is"]}}
    result = compiled("{ return: def, None: class(is: 2) { import: def } }", schema).execute(root)
    assert result == ExecutionResult({"return": 1, "None": {"import": 2}}, None)


async def test_records_whose_attributes_are_only_their_columns_can_be_sources() -> None:
    class Row(dict[str, Any]):
        """Like a database driver's record: an unknown attribute raises KeyError, even in `hasattr`."""

        __getattr__ = dict.__getitem__

    @strawberry.type
    class Query:
        name: str
        other: strawberry.scalars.JSON | None

    result = compiled("{ name other }", Schema(Query)._schema).execute(Row(name="ann", other=[1]))
    assert result == ExecutionResult({"name": "ann", "other": [1]}, None)
