"""Compiled operations: what they do beyond answering like graphql-core."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, build_schema, parse
from graphql_compiled import compiled as compiled_module
from graphql_compiled.codegen import build
from graphql_compiled.compiled import MAX_VARIANTS, Compiled, compile_operation, explain, outcomes
from graphql_compiled.plan import Uncompilable
from strawberry.types import Info

from engine.tests import adversarial_schema

NASTY = adversarial_schema.schema._schema


def compiled(text: str, schema: GraphQLSchema = NASTY) -> Compiled:
    found = compile_operation(schema, parse(text))
    assert found is not None
    return found


async def answer(operation: Compiled, context: Any = None, **variables: Any) -> ExecutionResult:
    result = operation.execute(context_value=context or adversarial_schema.Context(), variable_values=variables)
    return result if isinstance(result, ExecutionResult) else await result


async def test_nothing_is_awaited_where_nothing_has_to_be() -> None:
    result = compiled("{ thing(n: 8) { n next { n } } }").execute(context_value=adversarial_schema.Context())
    assert result == ExecutionResult({"thing": {"n": 8, "next": {"n": 9}}}, None)


async def test_the_loads_of_one_level_meet_in_one_batch() -> None:
    context = adversarial_schema.Context()
    text = """{ many(ns: [4, 7, 10]) {
      loaded { __typename }
      awaited { ... on Thing { loaded { __typename } } }
    } }"""
    await answer(compiled(text), context)
    assert context.batches == [[5, 8, 11, 14], [9, 12, 15]]


async def test_a_mutation_runs_its_fields_one_after_the_other() -> None:
    context = adversarial_schema.Context()
    result = await answer(compiled('mutation { a: note(word: "slow", wait: true) b: note(word: "quick") }'), context)
    assert result.data == {"a": 1, "b": 2}
    assert context.notes == ["slow", "quick"]


async def test_a_mutation_that_nulls_everything_ends_there() -> None:
    context = adversarial_schema.Context()
    result = await answer(compiled('mutation { refuse { n } note(word: "never") }'), context)
    assert result.data is None
    assert context.notes == ["refused"]


async def test_who_gives_up_waiting_stops_what_was_started() -> None:
    stopped: list[str] = []

    @strawberry.type
    class Query:
        @strawberry.field
        async def forever(self, name: str) -> int:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(name)
            return 1

    operation = compiled('{ a: forever(name: "a") b: forever(name: "b") }', strawberry.Schema(Query)._schema)
    task = asyncio.ensure_future(answer(operation))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped == ["a", "b"]


async def test_a_future_cancelled_by_others_is_an_error_of_its_field_alone() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def lost(self, info: Info) -> int | None:
            return info.context["future"]  # type: ignore[no-any-return]

        @strawberry.field
        async def kept(self) -> int:
            await asyncio.sleep(0)
            return 1

    future = asyncio.get_running_loop().create_future()
    future.cancel()
    result = await answer(compiled("{ lost kept }", strawberry.Schema(Query)._schema), {"future": future})
    assert result.data == {"lost": None, "kept": 1}
    assert result.errors is not None
    assert result.errors[0].path == ["lost"]


SEEN: list[tuple[Any, ...]] = []


@strawberry.type
class Looking:
    @strawberry.field
    def look(self, info: Info, word: str = "w") -> str:
        selected = info.selected_fields[0]
        SEEN.append((info.path.as_list(), info.variable_values, selected.name, selected.arguments))  # type: ignore[union-attr]
        return f"{info.field_name} {info.return_type} {info.context['who']} {info.operation.name.value}"


@strawberry.type
class Looks:
    @strawberry.field
    def leaves(self) -> list[Looking]:
        return [Looking(), Looking()]


async def test_info_tells_where_a_resolver_runs() -> None:
    operation = compiled("query Q($w: String!) { leaves { look(word: $w) } }", strawberry.Schema(Looks)._schema)
    result = await answer(operation, {"who": "ann"}, w="x")
    assert result.data == {"leaves": [{"look": "look <class 'str'> ann Q"}] * 2}
    assert [(["leaves", n, "look"], {"w": "x"}, "look", {"word": "x"}) for n in (0, 1)] == SEEN


async def test_a_resolver_may_change_its_arguments_without_changing_the_next_calls() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def took(self, words: list[str]) -> int:
            words.append("more")
            return len(words)

    operation = compiled(
        'query ($w: [String!]!) { a: took(words: ["x"]) b: took(words: $w) }', strawberry.Schema(Query)._schema
    )
    for _ in range(2):
        assert (await answer(operation, w=["x"])).data == {"a": 2, "b": 2}


async def test_variants_of_conditions_are_compiled_once_and_kept_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    monkeypatch.setattr(compiled_module, "build", lambda *a, **k: built.append(a) or build(*a, **k))
    names = [f"c{n}" for n in range(5)]
    selections = " ".join(f"x{name}: n @include(if: ${name})" for name in names)
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    operation = compiled(f"query ({declared}) {{ thing {{ {selections} }} }}")
    for number in range(32):
        values = {name: bool(number >> index & 1) for index, name in enumerate(names)}
        for _ in range(2):
            result = await answer(operation, **values)
            assert result.data == {"thing": {f"x{name}": 1 for name in names if values[name]}}
    assert len(built) == 32
    assert len(operation.variants) == MAX_VARIANTS


async def test_a_subscription_is_compiled_once_for_all_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    monkeypatch.setattr(compiled_module, "build", lambda *a, **k: built.append(a) or build(*a, **k))
    stream: Any = compiled("subscription { count(to: 3) { n } }").subscribe()
    stream = await stream
    assert [event.data async for event in stream] == [{"count": {"n": n}} for n in range(3)]
    assert len(built) == 1


async def test_what_cannot_be_compiled_is_answered_by_graphql_core_and_counted() -> None:
    before = outcomes.copy()
    assert compile_operation(NASTY, parse("query A { __typename } query B { __typename }")) is None
    operation = compiled("query ($c: Boolean!) { thing { n @include(if: $c) ... @defer(if: false) { n } } }")
    assert (await answer(operation, c=True)).data == {"thing": {"n": 1}}
    assert (await answer(operation)).errors
    with pytest.raises(GraphQLError, match="multiple payloads"):
        await answer(compiled("{ thing { ... @defer { n } } }"))
    assert outcomes - before == {"no such operation": 1, "compiled": 1, "refused variables": 1, "@defer": 1}


async def test_a_plan_of_hostile_size_is_refused() -> None:
    levels = "n"
    for _ in range(11):
        levels = f"numbered {{ path ... on Thing {{ a: next {{ {levels} }} b: next {{ {levels} }} }} }}"
    with pytest.raises(Uncompilable, match="too many fields"):
        explain(NASTY, f"{{ thing {{ {levels} }} }}")


def test_what_is_invalid_is_not_explained() -> None:
    with pytest.raises(Uncompilable, match="Cannot query field 'm' on type 'Thing'"):
        explain(NASTY, "{ thing { m } }")
    with pytest.raises(Uncompilable, match="Syntax Error"):
        explain(NASTY, "{ thing { n ")


def test_the_generated_source_can_be_read() -> None:
    source = explain(NASTY, "{ thing(n: 8) { number: n next { n } } }")
    assert "'number': v" in source
    assert "source.n" in source
    compile(source, "explained", "exec")


async def test_names_that_are_no_identifiers_stay_strings() -> None:
    schema = build_schema("type Query { def: Int, class(is: Int): Query }")
    root: Any = {"def": 1, "class": lambda _info, **arguments: {"def": arguments["is"]}}
    result = compiled("{ return: def, None: class(is: 2) { import: def } }", schema).execute(root)
    assert result == ExecutionResult({"return": 1, "None": {"import": 2}}, None)


async def test_rows_that_know_only_their_columns_are_sources_enough() -> None:
    class Row(dict[str, Any]):
        """Like a driver's record: what it does not have raises KeyError, also for `hasattr`."""

        __getattr__ = dict.__getitem__

    @strawberry.type
    class Query:
        name: str
        other: strawberry.scalars.JSON | None

    result = compiled("{ name other }", strawberry.Schema(Query)._schema).execute(Row(name="ann", other=[1]))
    assert result == ExecutionResult({"name": "ann", "other": [1]}, None)
