"""Limits on documents: counted as a person would, but in one pass."""

from itertools import pairwise

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    build_schema,
    get_introspection_query,
    parse,
)
from graphql_compiled.engine import Engine, Rejected
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from app.transport.limits import UNBOUNDED, DocumentLimits, Limits, Measure, measure
from tests.transport.adversarial_inputs import SDL, Ground, build

SCHEMA = build_schema(SDL)


def engine(**limits: int) -> Engine:
    inspect = DocumentLimits(Limits(**limits))
    return Engine(build(Ground()), inspect=inspect, max_tokens=2000, cache_size=16)


def complaints(query: str, **limits: int) -> list[str]:
    with pytest.raises(Rejected) as rejected:
        engine(**limits).prepare(query)
    assert all(error.extensions == {"code": "QUERY_TOO_COMPLEX"} for error in rejected.value.errors)
    return [error.message for error in rejected.value.errors]


def total(query: str, size: int = MAX_PAGE_SIZE) -> Measure:
    [(_, found)] = measure(SCHEMA, parse(query), lambda _: size)
    return found


@pytest.mark.parametrize(
    ("query", "limits", "complaint"),
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
def test_the_error_says_which_limit_and_by_how_much(query: str, limits: dict[str, int], complaint: str):
    assert complaints(query, **limits) == [complaint]


def test_every_limit_that_is_exceeded_is_named():
    assert len(complaints("{a:thing{b:id}}", depth=1, aliases=1, fields=1, cost=1)) == 4


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
def test_pages_multiply_what_is_below_them(query: str, cost: int):
    assert total(query).cost == cost


async def test_a_page_size_in_a_variable_is_judged_when_it_is_known():
    small = engine(cost=500)
    query = "query($n:Int=2){things(first:$n){nodes{things(first:$n){nodes{id}}}}}"
    prepared = small.prepare(query)
    assert (await small.execute(prepared, {"n": 5}, None)).data is not None
    assert (await small.execute(prepared, {}, None)).data is not None
    for variables, asked in [({"n": 50}, "5,101"), ({"n": None}, "5,101"), ({"n": 9_999}, "20,201")]:
        with pytest.raises(Rejected) as rejected:
            await small.execute(prepared, variables, None)
        assert asked in str(rejected.value)


def test_a_document_that_is_within_the_limits_at_its_largest_needs_no_second_look():
    assert engine().prepare("query($n:Int){things(first:$n){nodes{id}}}").check is None


def test_a_document_that_is_too_much_at_its_smallest_is_refused_at_once():
    assert complaints("query($n:Int){things(first:$n){nodes{id name}}}", cost=3)


def test_of_several_operations_only_the_dear_one_is_judged_again():
    several = engine(cost=150)
    query = "query A($n:Int){things(first:$n){nodes{id}}} query B{ping}"
    assert several.prepare(query, "A").check is not None
    assert several.prepare(query, "B").check is None


@pytest.mark.parametrize("size", [18, 90])
def test_a_bomb_of_fragments_is_counted_without_being_set_off(size: int):
    links = " ".join(f"fragment f{a} on Thing{{...f{b} ...f{b}}}" for a, b in pairwise(range(size)))
    bomb = f"{{thing{{...f0}}}} {links} fragment f{size - 1} on Thing{{id}}"
    assert f"selects {min(2 ** (size - 1) + 1, 10**9):,} fields" in complaints(bomb)[0]


def test_a_cycle_of_fragments_is_left_to_validation():
    with pytest.raises(Rejected, match="Cannot spread fragment"):
        engine().prepare("{thing{...a}} fragment a on Thing{self{...b}} fragment b on Thing{self{...a}}")


def test_a_chain_of_fragments_too_deep_to_walk_is_refused():
    links = " ".join(f"fragment f{a} on Thing{{self{{self{{...f{b}}}}}}}" for a, b in pairwise(range(140)))
    query = f"{{thing{{...f0}}}} {links} fragment f139 on Thing{{id}}"
    assert complaints(query)


@pytest.mark.parametrize("query", ["{nope{nope(first:3){nope}}}", "{thing{...gone}}", "{...on Gone{id}}"])
def test_what_the_schema_does_not_know_is_left_to_validation(query: str):
    with pytest.raises(Rejected) as rejected:
        engine().prepare(query)
    assert rejected.value.errors[0].extensions == {}


def test_introspection_by_graphiql_passes():
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        input_value_deprecation=True,
    )
    assert engine().prepare(query).check is None


def test_introspection_can_be_switched_off():
    closed = Engine(
        build(Ground()), inspect=DocumentLimits(Limits()), max_tokens=2000, cache_size=16, introspection=False
    )
    with pytest.raises(Rejected, match="introspection"):
        closed.prepare("{__schema{types{name}}}")
    with pytest.raises(Rejected) as rejected:
        closed.prepare("{pin}")
    assert "ping" not in str(rejected.value)
    closed.prepare("{__typename}")


FRAGMENTS = ["F0", "F1", "F2"]


@st.composite
def selections(draw: st.DrawFn, spreads: list[str], depth: int = 3) -> str:
    """Selections of a Thing; a fragment may only spread those after it."""
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
    """The same by expanding everything, as one would by hand."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}

    def walk(nodes) -> list[tuple[int, int, bool, int]]:
        """(depth, times, alias, directives) for every field and, with depth 0, for every spread."""
        found = []
        for node in nodes:
            directives = len(node.directives or ())
            if isinstance(node, FieldNode):
                given = {a.name.value: a.value for a in node.arguments or ()}
                pages = [int(v.value) if hasattr(v, "value") else size for v in given.values()]
                times = (pages or [DEFAULT_PAGE_SIZE])[0] if node.name.value == "things" else 1
                below = walk(node.selection_set.selections) if node.selection_set else []
                found += [(1, 1, node.alias is not None, directives)]
                found += [(d + 1 if d else 0, t * times, a, k) for d, t, a, k in below]
            else:
                spread = isinstance(node, FragmentSpreadNode)
                inner = fragments[node.name.value] if spread else node
                found += [(0, 0, False, directives), *walk(inner.selection_set.selections)]
        return found

    [operation] = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    found = walk(operation.selection_set.selections)
    real = [f for f in found if f[0]]
    return Measure(
        max(f[0] for f in real),
        len(real),
        sum(f[2] for f in real),
        sum(f[3] for f in found),
        min(sum(f[1] for f in real), UNBOUNDED),
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.integers(1, MAX_PAGE_SIZE))
def test_one_pass_counts_what_expanding_everything_counts(text: str, size: int):
    document = parse(text)
    [(_, found)] = measure(SCHEMA, document, lambda _: size)
    assert found == naive(document, size)
