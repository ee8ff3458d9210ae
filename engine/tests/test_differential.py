"""Compiled code returns what graphql-core returns, for random documents; a broken executor does not.

`FUZZ_EXAMPLES` (500) is the number of documents; with another number they differ from run to run.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator

import graphql.execution as graphql_core
import pytest
from graphql import parse, validate
from graphql_compiled import outcomes
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from engine.tests import adversarial_schema
from engine.tests.broken_executors import broken
from engine.tests.differential import Comparison, VirtualTimeLoop, differs_only_by_race, subscribe_compiled
from engine.tests.documents import Request, requests

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))
SCALARS = {
    "Shout": st.sampled_from(["a", "null", "error"]).map(nodes.String),
    "Date": st.just(nodes.String("2026-01-02")),
    "DateTime": st.just(nodes.String("2026-01-02T00:00:00Z")),
    "UUID": st.just(nodes.String("12345678-1234-1234-1234-123456789012")),
    "Decimal": st.just(nodes.String("1.5")),
}
ADVERSARIAL = Comparison(adversarial_schema.schema._schema, adversarial_schema.Context, lambda context: context.notes)

pytestmark = [
    # graphql-core leaves coroutines behind when a null removes their parent
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def loop() -> Iterator[VirtualTimeLoop]:
    loop = VirtualTimeLoop()
    yield loop
    loop.close()


def assert_equal(comparison: Comparison, loop: VirtualTimeLoop, counts: Counter[str]) -> Callable[[Request], None]:
    def compare(request: Request) -> None:
        document = parse(request.text)
        assert not validate(comparison.schema, document), request.text
        try:
            expected, actual = comparison.both(loop, document, request.variables)
        except asyncio.CancelledError:
            # graphql-core cancels a loader's future below a null, and with it everything else that awaits the future
            counts["cancelled"] += 1
            return
        counts["compared"] += 1
        counts["with errors"] += bool(expected.errors)
        counts["equal"] += actual == expected
        assert actual == expected or differs_only_by_race(expected, actual), f"{request.text}\n{request.variables}"

    return compare


def explore(comparison: Comparison, loop: VirtualTimeLoop, examples: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    test = given(requests(comparison.schema, SCALARS))(assert_equal(comparison, loop, counts))
    settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=EXAMPLES == 500,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )(test)()
    return counts


@pytest.mark.timeout(0 if EXAMPLES > 500 else 300)
def test_compiled_code_returns_what_graphql_core_returns(loop: VirtualTimeLoop) -> None:
    before = outcomes.copy()
    counts = explore(ADVERSARIAL, loop, EXAMPLES)
    runs = outcomes - before
    print(f"\n{dict(counts)}, executed {dict(runs)}")
    assert counts["compared"] >= 0.98 * EXAMPLES
    assert counts["equal"] >= 0.985 * counts["compared"]
    assert counts["with errors"] >= 0.2 * EXAMPLES
    assert runs["compiled"] >= 0.95 * sum(runs.values())


@pytest.mark.parametrize(
    "query",
    [
        # a field that is still pending when its list, an asynchronous one, becomes null
        "{ thing(n: 12) { asyncItems { wrong { boom } required { n } } } }",
        # a task below a null and a field elsewhere wait for the same future of a loader
        "{ stream(n: 2) { asyncItems { awaited { ... on Other { boom } } } } }",
    ],
)
def test_documents_that_once_failed(loop: VirtualTimeLoop, query: str) -> None:
    counts: Counter[str] = Counter()
    assert_equal(ADVERSARIAL, loop, counts)(Request(query, {}))
    assert counts["compared"] == 1


@pytest.mark.parametrize("defect", ["nulls", "alias"])
def test_the_comparison_detects_a_broken_executor(loop: VirtualTimeLoop, defect: str) -> None:
    with broken(defect), pytest.raises(AssertionError, match=r"query|mutation"):
        explore(ADVERSARIAL, loop, 200)


@pytest.mark.parametrize(
    "selection",
    [
        "n name",
        "next { required { n } }",
        "slowRequired { n } guarded",
        "loaded { ... on Thing { n } } loadedItems { n }",
    ],
)
def test_the_events_of_a_subscription_are_equal(loop: VirtualTimeLoop, selection: str) -> None:
    document = parse(f"subscription ($to: Int!) {{ count(to: $to) {{ {selection} }} }}")
    expected, actual = (
        loop.run_until_complete(ADVERSARIAL.events(subscribe, document, {"to": 6}))
        for subscribe in (graphql_core.subscribe, subscribe_compiled)
    )
    assert len(expected) == 6
    assert actual == expected
