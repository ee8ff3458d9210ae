"""(b) Compiled code answers as graphql-core does, whatever is asked; (c) a broken one does not.

`FUZZ_EXAMPLES` (500) sets how many documents are tried; with another number they differ from run to run.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import graphql.execution as graphql_core
import pytest
from graphql import parse, validate
from graphql_compiled import graphql_core_executor
from graphql_compiled.compiled import outcomes
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from engine.tests import adversarial_schema, broken
from engine.tests.differential import Case, VirtualTime, raced
from engine.tests.documents import Request, requests

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))
SCALARS = {
    "Shout": st.sampled_from(["a", "mute", "break"]).map(nodes.String),
    "Date": st.just(nodes.String("2026-01-02")),
    "DateTime": st.just(nodes.String("2026-01-02T00:00:00Z")),
    "UUID": st.just(nodes.String("12345678-1234-1234-1234-123456789012")),
    "Decimal": st.just(nodes.String("1.5")),
}
NASTY = Case(adversarial_schema.schema._schema, adversarial_schema.Context, lambda context: context.notes)

pytestmark = [
    # graphql-core leaves coroutines behind when a null takes their parent with it
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def loop() -> Iterator[VirtualTime]:
    loop = VirtualTime()
    yield loop
    loop.close()


def compare(case: Case, loop: VirtualTime, seen: Counter[str]) -> Callable[[Request], None]:
    def same(request: Request) -> None:
        document = parse(request.text)
        assert not validate(case.schema, document), request.text
        try:
            theirs, ours = case.answers(loop, document, request.variables)
        except asyncio.CancelledError:
            # graphql-core cancels a loader's future under a null, and with it whoever else waits for it
            seen["cancelled"] += 1
            return
        seen["compared"] += 1
        seen["with errors"] += bool(theirs.errors)
        seen["equal"] += ours == theirs
        assert ours == theirs or raced(theirs, ours), f"{request.text}\n{request.variables}"

    return same


def explore(case: Case, loop: VirtualTime, examples: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    run = given(requests(case.schema, SCALARS))(compare(case, loop, seen))
    settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=EXAMPLES == 500,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )(run)()
    return seen


@pytest.mark.timeout(0 if EXAMPLES > 500 else 300)
def test_documents_are_answered_alike(loop: VirtualTime) -> None:
    before = outcomes.copy()
    seen = explore(NASTY, loop, EXAMPLES)
    ways = outcomes - before
    print(f"\n{dict(seen)}, ran {dict(ways)}")
    assert seen["compared"] >= 0.98 * EXAMPLES
    assert seen["equal"] >= 0.985 * seen["compared"]
    assert seen["with errors"] >= 0.2 * EXAMPLES
    assert ways["compiled"] >= 0.95 * sum(ways.values())


@pytest.mark.parametrize("how", ["nulls", "alias"])
def test_a_broken_executor_is_found_out(loop: VirtualTime, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(graphql_core_executor, "_known", type(graphql_core_executor._known)())
    with broken.executor(how), pytest.raises(AssertionError, match=r"query|mutation"):
        explore(NASTY, loop, 200)


@pytest.mark.parametrize(
    "selection",
    ["n name", "next { sure { n } }", "slowSure { n } guarded", "loaded { ... on Thing { n } } promises { n }"],
)
def test_events_of_a_subscription_are_answered_alike(loop: VirtualTime, selection: str) -> None:
    document = parse(f"subscription ($to: Int!) {{ count(to: $to) {{ {selection} }} }}")
    events: list[Any] = [
        loop.run_until_complete(NASTY.events(subscribe, document, {"to": 6}))
        for subscribe in (graphql_core.subscribe, graphql_core_executor.subscribe)
    ]
    assert len(events[0]) == 6
    assert events[0] == events[1]
