"""Document limits: one pass counts what expanding every fragment would count."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    get_introspection_query,
    parse,
)
from graphql_compiled.engine import Engine, RequestError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from app.settings import Settings
from app.transport.limits import MAX_COUNT, DocumentLimits, Measure, measure
from tests.transport.sample_server import LIMITS
from tests.transport.transport_schema import SDL, Resolvers, build_sample_schema

SCHEMA = build_schema(SDL)


def engine(**limits: int) -> Engine:
    inspect = DocumentLimits(replace(LIMITS, **limits))
    return Engine(build_sample_schema(Resolvers()), inspect=inspect, max_tokens=2000, cache_size=16)


def messages(query: str, **limits: int) -> list[str]:
    with pytest.raises(RequestError) as rejected:
        engine(**limits).prepare(query)
    assert all(error.extensions == {"code": "QUERY_TOO_COMPLEX"} for error in rejected.value.errors)
    return [error.message for error in rejected.value.errors]


def total(query: str, size: int = MAX_PAGE_SIZE) -> Measure:
    [(_, found)] = measure(SCHEMA, parse(query), lambda _: size)
    return found


@pytest.mark.parametrize(
    ("query", "limits", "message"),
    [
        ("{thing{self{self{id}}}}", {"depth": 3}, "The document is 4 levels deep; 3 are allowed."),
        ("{a:ping b:ping ping}", {"aliases": 1}, "The document has 2 aliases; 1 are allowed."),
        ("{ping thing{id name}}", {"fields": 3}, "The document selects 4 fields; 3 are allowed."),
        (
            "query @skip(if:false){ping @skip(if:false) ...@include(if:true){ping}}",
            {"directives": 2},
            "The document has 3 directives; 2 are allowed.",
        ),
        (
            "{things(first:20){nodes{id}}}",
            {"cost": 40},
            "The document asks for up to 41 fields; 40 are allowed.",
        ),
    ],
)
def test_the_error_names_the_limit_and_the_excess(query: str, limits: dict[str, int], message: str):
    assert messages(query, **limits) == [message]


def test_every_exceeded_limit_is_named():
    assert len(messages("{a:thing{b:id}}", depth=1, aliases=1, fields=1, cost=1)) == 4


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{things{nodes{id}}}", 1 + DEFAULT_PAGE_SIZE * 2),
        ("{things(first:3){nodes{things(last:4){nodes{id}}}}}", 1 + 3 * (1 + 1 + 4 * 2)),
        ("{things(first:999999999999999999999){nodes{id}}}", 1 + MAX_PAGE_SIZE * 2),
        ("{things(first:-5){nodes{id}}}", 1 + 2),
        ('{nodes(ids:["a","b","c"]){id}}', 1 + 3),
        ('{__type(name:"Thing"){name}}', 1 + 50 + 1),
    ],
)
def test_a_page_size_multiplies_the_cost_of_its_selection(query: str, cost: int):
    assert total(query).cost == cost


async def test_a_page_size_in_a_variable_is_measured_with_each_request():
    small = engine(cost=500)
    query = "query($n:Int=2){things(first:$n){nodes{things(first:$n){nodes{id}}}}}"
    prepared = small.prepare(query)
    assert (await small.execute(prepared, {"n": 5}, None)).data is not None
    assert (await small.execute(prepared, {}, None)).data is not None
    for variables, cost in [({"n": 50}, "5,101"), ({"n": None}, "5,101"), ({"n": 9_999}, "20,201")]:
        with pytest.raises(RequestError) as rejected:
            await small.execute(prepared, variables, None)
        assert cost in str(rejected.value)


def test_a_document_within_the_limits_at_the_largest_page_size_is_measured_once():
    assert engine().prepare("query($n:Int){things(first:$n){nodes{id}}}").check_variables is None


def test_a_document_beyond_the_limits_at_the_smallest_page_size_is_refused_at_once():
    assert messages("query($n:Int){things(first:$n){nodes{id name}}}", cost=3)


def test_of_several_operations_only_the_expensive_one_is_measured_again():
    several = engine(cost=150)
    query = "query A($n:Int){things(first:$n){nodes{id}}} query B{ping}"
    assert several.prepare(query, "A").check_variables is not None
    assert several.prepare(query, "B").check_variables is None


@pytest.mark.parametrize("size", [18, 90])
def test_multiplying_fragments_are_counted_in_linear_time(size: int):
    links = " ".join(f"fragment f{a} on Thing{{...f{b} ...f{b}}}" for a, b in pairwise(range(size)))
    query = f"{{thing{{...f0}}}} {links} fragment f{size - 1} on Thing{{id}}"
    assert f"selects {min(2 ** (size - 1) + 1, 10**9):,} fields" in messages(query)[0]


def test_a_fragment_cycle_is_refused_by_validation():
    with pytest.raises(RequestError, match="Cannot spread fragment"):
        engine().prepare("{thing{...a}} fragment a on Thing{self{...b}} fragment b on Thing{self{...a}}")


def test_a_fragment_chain_beyond_the_recursion_limit_is_refused():
    links = " ".join(f"fragment f{a} on Thing{{self{{self{{...f{b}}}}}}}" for a, b in pairwise(range(140)))
    query = f"{{thing{{...f0}}}} {links} fragment f139 on Thing{{id}}"
    assert messages(query)


@pytest.mark.parametrize("query", ["{nope{nope(first:3){nope}}}", "{thing{...gone}}", "{...on Gone{id}}"])
def test_unknown_names_are_refused_by_validation(query: str):
    with pytest.raises(RequestError) as rejected:
        engine().prepare(query)
    assert rejected.value.errors[0].extensions == {}


def test_the_introspection_of_graphiql_is_within_the_limits():
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert engine().prepare(query).check_variables is None


def test_introspection_can_be_disabled():
    engine_without = Engine(
        build_sample_schema(Resolvers()),
        inspect=DocumentLimits(LIMITS),
        max_tokens=2000,
        cache_size=16,
        introspection=False,
    )
    with pytest.raises(RequestError, match="introspection"):
        engine_without.prepare("{__schema{types{name}}}")
    with pytest.raises(RequestError) as rejected:
        engine_without.prepare("{pin}")
    assert "ping" not in str(rejected.value)
    engine_without.prepare("{__typename}")


FRAGMENTS = ["F0", "F1", "F2"]


@st.composite
def selections(draw: st.DrawFn, spreads: list[str], depth: int = 3) -> str:
    """Selections of a Thing; a fragment spreads only later fragments, so there is no cycle."""
    alias = draw(st.sampled_from(["", "x: "]))
    skip = draw(st.sampled_from(["", " @skip(if: false)"]))
    kinds = ["id", "on", *(["self", "things"] if depth else []), *(["spread"] if spreads else [])]
    parts = []
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3)):
        below = draw(selections(spreads, depth - 1)) if kind in ("self", "things", "on") and depth else "{ id }"
        size = draw(st.sampled_from(["", "(first: 3)", "(last: 7)", "(first: $n)"]))
        parts.append(
            {
                "id": f"{alias}id{skip}",
                "on": f"...{skip} {below}",
                "self": f"{alias}self{skip} {below}",
                "things": f"{alias}things{size} {{ nodes {below} }}",
                "spread": f"...{draw(st.sampled_from(spreads or ['']))}{skip}",
            }[kind]
        )
    return "{ " + " ".join(parts) + " }"


@st.composite
def documents(draw: st.DrawFn) -> str:
    fragments = [
        f"fragment {name} on Thing {draw(selections(FRAGMENTS[at + 1 :]))}" for at, name in enumerate(FRAGMENTS)
    ]
    return f"query($n: Int) {{ thing {draw(selections(FRAGMENTS))} }} " + " ".join(fragments)


def naive(document: DocumentNode, size: int) -> Measure:
    """The measure by expanding every fragment."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}

    def expand(nodes) -> list[tuple[int, int, bool, int]]:
        """(depth, times, alias, directives) for every field and, with depth 0, for every spread."""
        found = []
        for node in nodes:
            directives = len(node.directives or ())
            if isinstance(node, FieldNode):
                arguments = {a.name.value: a.value for a in node.arguments or ()}
                pages = [int(v.value) if hasattr(v, "value") else size for v in arguments.values()]
                times = (pages or [DEFAULT_PAGE_SIZE])[0] if node.name.value == "things" else 1
                below = expand(node.selection_set.selections) if node.selection_set else []
                found += [(1, 1, node.alias is not None, directives)]
                found += [(d + 1 if d else 0, t * times, a, k) for d, t, a, k in below]
            else:
                spread = isinstance(node, FragmentSpreadNode)
                inner = fragments[node.name.value] if spread else node
                found += [(0, 0, False, directives), *expand(inner.selection_set.selections)]
        return found

    [operation] = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    found = expand(operation.selection_set.selections)
    real = [f for f in found if f[0]]
    return Measure(
        max(f[0] for f in real),
        len(real),
        sum(f[2] for f in real),
        sum(f[3] for f in found),
        min(sum(f[1] for f in real), MAX_COUNT),
    )


def full(size: int) -> Callable[..., Any]:
    """A resolver of the sample schema with full pages, of `size` elements where a document does not say how many."""

    def resolve(source: Any, info: Any, **arguments: int) -> Any:
        match info.field_name:
            case "things":
                return {"nodes": [{}] * arguments.get("first", arguments.get("last", size))}
            case "nodes":
                return source["nodes"] if source else [{}] * size
            case "id" | "name":
                return "x"
        return {}

    return resolve


def fields_of(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(fields_of, value.values()))
    return sum(map(fields_of, value)) if isinstance(value, list) else 0


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.integers(1, 6))
def test_no_response_has_more_fields_than_its_cost(text: str, size: int):
    document = parse(text)
    [(_, found)] = measure(SCHEMA, document, lambda _: size)
    result = execute_sync(SCHEMA, document, field_resolver=full(size), variable_values={"n": size})
    assert result.errors is None
    assert fields_of(result.data) <= found.cost


def test_cost_equals_the_number_of_fields_if_pages_hold_nothing_else():
    text = "{thing{id name} nodes(ids: [1, 2, 3]) {id self {name}}}"
    result = execute_sync(SCHEMA, parse(text), field_resolver=full(3))
    assert result.errors is None
    assert fields_of(result.data) == total(text).cost == 3 + 1 + 3 * 3


def test_the_setting_the_message_and_the_readme_count_the_same_thing():
    described = Settings.model_fields["max_cost"].description
    assert described is not None
    assert "Fields of the largest possible response" in described
    assert messages("{things(first:20){nodes{id}}}", cost=40) == [
        "The document asks for up to 41 fields; 40 are allowed."
    ]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.integers(1, MAX_PAGE_SIZE))
def test_one_pass_counts_what_expanding_every_fragment_counts(text: str, size: int):
    document = parse(text)
    [(_, found)] = measure(SCHEMA, document, lambda _: size)
    assert found == naive(document, size)
