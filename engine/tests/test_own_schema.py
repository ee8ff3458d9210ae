"""Compiled code answers as graphql-core does over our own schema, real rows and loaders beneath; nothing falls back."""

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
    GraphQLArgument,
    GraphQLObjectType,
    IntValueNode,
    StringValueNode,
    ValueNode,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
)
from graphql.execution.values import VariableValues
from graphql_compiled import graphql_core_executor
from graphql_compiled.compiled import compile_operation, outcomes
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from app import demo
from app.auth import Viewer, mint
from app.context import Context
from app.main import DEMO, Services
from app.schema import schema
from app.schema.partial_rows import TYPES, columns_for
from engine.tests.differential import Case, raced
from engine.tests.documents import Request, Tame, requests
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


def likely(known: list[str]) -> Tame:
    """Arguments that find something: ids that exist, small pages, few filters."""

    def tame(name: str, definition: GraphQLArgument, dice: random.Random) -> ValueNode | None:
        if name in ("first", "last", "sequence"):
            return IntValueNode(value=str(dice.randrange(1, 6))) if name != "last" else None
        if get_named_type(definition.type).name == "ID" and name == "id":
            return StringValueNode(value=dice.choice(known))
        if name == "ids":
            return nodes.List([StringValueNode(value=dice.choice(known)) for _ in range(3)])
        return StringValueNode(value=dice.choice(known)) if name in ("key", "query") else None

    return tame


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for item in inner for found in strings(item)]


@pytest.fixture
async def services(fresh_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Services]:
    """What operations share, over a database with the demo conversations in it."""
    chosen = settings_for(await fresh_database())
    async with serving(chosen) as running:
        await demo.fill(running.url, mint(chosen, sub=DEMO, ttl_seconds=3600))
    services = Services(chosen)
    yield services
    await services.db.close()


async def contexts(services: Services, viewer: Viewer) -> Callable[[], Context]:
    """What two executors of one document get: not the same, but of the same moment."""
    moment = services.context(viewer)
    await moment.look_around()

    def made() -> Context:
        context = services.context(viewer)
        context.horizon = moment.horizon
        return context

    return made


def asked_of(type_: GraphQLObjectType, fields: set[str]) -> str:
    """A selection of these fields; of what has fields itself its id, of a connection its nodes' ids."""
    shown = []
    for name in sorted(fields):
        inner = get_named_type(type_.fields[name].type)
        needed = {"message": "(sequence: 1)", "agent": '(key: "x")' if type_.name == "Session" else ""}
        below = "" if is_leaf_type(inner) else " { nodes { id } }" if "nodes" in inner.fields else " { id }"
        shown.append(f"{name}{needed.get(name, '')}{below}" if name != "metrics" else "metrics { messageCount }")
    return f"{{ {' '.join(shown)} }}"


async def test_light_rows_answer_as_whole_ones(services: Services) -> None:
    viewer = Viewer(DEMO, frozenset({"chat:read"}), (), expires_at=2**40)
    case = Case(schema._schema, lambda: services.context(viewer), lambda context: context.extensions)
    known = strings((await graphql_core_executor.execute(case.schema, parse(IDS), context_value=case.context())).data)
    assert {one[:4] for one in known} >= {"ses_", "msg_", "prt_", "agt_"}
    some = {one[:4]: one for one in known if one[3:4] == "_"}
    parts = [f"... on {name} {asked_of(case.schema.type_map[name], answers.fields)}" for name, answers in TYPES.items()]
    ids = ", ".join(f'"{some[kind]}"' for kind in ("ses_", "msg_", "prt_", "agt_"))
    for part in parts:
        document = parse(f"{{ nodes(ids: [{ids}]) {{ __typename {part} }} sessions {{ nodes {{ id }} }} }}")
        assert validate(case.schema, document) == []
        theirs = await case.run(graphql_core.execute, document, {})
        ours = await case.run(graphql_core_executor.execute, document, {})
        assert ours == theirs
        assert not theirs.errors
        compiled = compile_operation(case.schema, document)
        assert compiled is not None
        code = compiled.code(VariableValues({}, {}))
        assert code is not None
        assert columns_for(code.selected).rows == {one.row for one in TYPES.values()}


@pytest.mark.timeout(0 if EXAMPLES > 100 else 300)
async def test_our_own_schema_is_answered_alike(services: Services) -> None:
    loop, seen = asyncio.get_running_loop(), Counter[str]()
    viewer = Viewer(DEMO, frozenset({"chat:read", "chat:write"}), (), expires_at=2**40)
    case = Case(schema._schema, await contexts(services, viewer), lambda context: context.extensions)
    known = strings((await graphql_core_executor.execute(case.schema, parse(IDS), context_value=case.context())).data)

    async def compare(request: Request) -> None:
        document = parse(request.text)
        if validate(case.schema, document):
            seen["invalid"] += 1
            return
        theirs = await case.run(graphql_core.execute, document, request.variables)
        ours = await case.run(graphql_core_executor.execute, document, request.variables)
        seen["equal"] += ours == theirs
        seen["with data"] += theirs.data != "null"
        assert ours == theirs or raced(theirs, ours), f"{request.text}\n{request.variables}"

    def explore() -> None:
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(requests(case.schema, SCALARS, likely(known), writes=False))
        def run(request: Request) -> None:
            asyncio.run_coroutine_threadsafe(compare(request), loop).result(30)

        run()

    before = outcomes.copy()
    await asyncio.to_thread(explore)
    ways = outcomes - before
    print(f"\n{dict(seen)}, ran {dict(ways)}")
    assert seen["with data"] >= 0.5 * EXAMPLES
    assert set(ways) <= {"compiled", "refused variables"}
