"""Compiled code over our own schema returns what graphql-core returns; every operation is compiled, every field fast."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import graphql.execution as graphql_core
import pytest
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLArgument,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    StringValueNode,
    ValueNode,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
)
from graphql.execution.values import VariableValues
from graphql_compiled import compile_operation
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from app import demo
from app.auth import Viewer, mint
from app.context import Context
from app.main import DEMO, Services
from app.schema import schema
from app.schema.partial_rows import TYPES, columns_for
from engine.tests.differential import Comparison, differs_only_by_race
from engine.tests.documents import ArgumentGenerator, Request, requests
from engine.tests.slow_fields import slow_fields
from harness.server_settings import settings_for
from tests.support.servers import serving

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500")) // 10
SCALARS = {
    "DateTime": st.just(nodes.String("2026-01-02T00:00:00Z")),
    "JSON": st.just(nodes.Object([])),
    "Decimal": st.just(nodes.String("1.5")),
}
IDS = """{ viewer { id } sessions { nodes { id key
  messages(first: 5) { nodes { id } } agents(first: 5) { nodes { id key agent { id key } } } } } }"""


def execute_compiled(
    graphql_schema: GraphQLSchema, document: DocumentNode, *, context_value: Context, variable_values: Any, **_: Any
) -> ExecutionResult | Awaitable[ExecutionResult]:
    """Execute as the server does, with partial rows. Raises Uncompilable where the server would fall back."""
    operation = compile_operation(graphql_schema, document)
    values = operation.coerce_variables(variable_values)
    if isinstance(values, list):
        return ExecutionResult(None, values)
    result = operation.run(values, None, context_value, on_selection=Context.selecting)
    assert result is not None
    return result


def matching_arguments(known: list[str]) -> ArgumentGenerator:
    """Arguments that find rows: ids that exist, small pages, few filters."""

    def generate(name: str, definition: GraphQLArgument, rng: random.Random) -> ValueNode | None:
        if name in ("first", "last", "sequence"):
            return IntValueNode(value=str(rng.randrange(1, 6))) if name != "last" else None
        if get_named_type(definition.type).name == "ID" and name == "id":
            return StringValueNode(value=rng.choice(known))
        if name == "ids":
            return nodes.List([StringValueNode(value=rng.choice(known)) for _ in range(3)])
        return StringValueNode(value=rng.choice(known)) if name in ("key", "query") else None

    return generate


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for item in inner for found in strings(item)]


async def known_strings(comparison: Comparison) -> list[str]:
    execution: Any = graphql_core.execute(comparison.schema, parse(IDS), context_value=comparison.context())
    result = await execution
    assert isinstance(result, ExecutionResult)
    return strings(result.data)


@pytest.fixture
async def services(fresh_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Services]:
    """What operations share, over a database that holds the demo conversations."""
    chosen = settings_for(await fresh_database())
    async with serving(chosen) as running:
        await demo.fill(running.url, mint(chosen, sub=DEMO, ttl_seconds=3600))
    services = Services(chosen)
    yield services
    await services.db.close()


async def contexts(services: Services, viewer: Viewer) -> Callable[[], Context]:
    """Makes a new context for each execution, all with the same event cursor."""
    first = services.context(viewer)
    await first.capture_event_cursor()

    def make() -> Context:
        context = services.context(viewer)
        context.horizon = first.horizon
        return context

    return make


def test_every_field_has_a_fast_access() -> None:
    assert slow_fields(schema._schema) == set()


def selection_of(type_: GraphQLObjectType, fields: set[str]) -> str:
    """A selection of these fields; of an object field its id, of a connection its nodes' ids."""
    selected = []
    for name in sorted(fields):
        inner = get_named_type(type_.fields[name].type)
        arguments = {"message": "(sequence: 1)", "agent": '(key: "x")' if type_.name == "Session" else ""}
        below = "" if is_leaf_type(inner) else " { nodes { id } }" if "nodes" in inner.fields else " { id }"
        selected.append(f"{name}{arguments.get(name, '')}{below}" if name != "metrics" else "metrics { messageCount }")
    return f"{{ {' '.join(selected)} }}"


async def test_partial_rows_give_the_same_responses_as_full_rows(services: Services) -> None:
    viewer = Viewer(DEMO, frozenset({"chat:read"}), (), expires_at=2**40)
    comparison = Comparison(schema._schema, lambda: services.context(viewer), lambda context: context.extensions)
    known = await known_strings(comparison)
    some = {one[:4]: one for one in known if one[3:4] == "_"}
    assert some.keys() >= {"ses_", "msg_", "prt_", "agt_"}
    ids = ", ".join(f'"{some[kind]}"' for kind in ("ses_", "msg_", "prt_", "agt_"))
    for name, partial in TYPES.items():
        part = f"... on {name} {selection_of(comparison.schema.type_map[name], partial.fields)}"
        document = parse(f"{{ nodes(ids: [{ids}]) {{ __typename {part} }} sessions {{ nodes {{ id }} }} }}")
        assert validate(comparison.schema, document) == []
        expected = await comparison.run(graphql_core.execute, document, {})
        assert await comparison.run(execute_compiled, document, {}) == expected
        assert not expected.errors
        plan = compile_operation(comparison.schema, document).plan_for(VariableValues({}, {}))
        assert plan is not None
        assert columns_for(plan.selected_fields).rows == {one.row for one in TYPES.values()}


@pytest.mark.timeout(0 if EXAMPLES > 100 else 300)
async def test_compiled_code_returns_what_graphql_core_returns(services: Services) -> None:
    loop, counts = asyncio.get_running_loop(), Counter[str]()
    viewer = Viewer(DEMO, frozenset({"chat:read", "chat:write"}), (), expires_at=2**40)
    comparison = Comparison(schema._schema, await contexts(services, viewer), lambda context: context.extensions)
    known = await known_strings(comparison)

    async def compare(request: Request) -> None:
        document = parse(request.text)
        if validate(comparison.schema, document):
            counts["invalid"] += 1
            return
        expected = await comparison.run(graphql_core.execute, document, request.variables)
        actual = await comparison.run(execute_compiled, document, request.variables)
        counts["equal"] += actual == expected
        counts["with data"] += expected.data != "null"
        assert actual == expected or differs_only_by_race(expected, actual), f"{request.text}\n{request.variables}"

    def explore() -> None:
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(requests(comparison.schema, SCALARS, matching_arguments(known), mutations=False))
        def run(request: Request) -> None:
            asyncio.run_coroutine_threadsafe(compare(request), loop).result(30)

        run()

    await asyncio.to_thread(explore)
    print(f"\n{dict(counts)}")
    assert counts["with data"] >= 0.5 * EXAMPLES
