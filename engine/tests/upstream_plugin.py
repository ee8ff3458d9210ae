"""pytest plugin: graphql-core's own tests with our executor where its `execute` was, and a count of how they ran."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import graphql
import graphql.execution
import pytest
from graphql_compiled import graphql_core_executor
from graphql_compiled.compiled import outcomes

if how := os.environ.get("BROKEN_EXECUTOR"):
    import broken

    wrong = broken.executor(how)
    wrong.__enter__()

for module in (graphql, graphql.execution):
    for name in ("execute", "execute_sync", "subscribe"):
        setattr(module, name, getattr(graphql_core_executor, name))
harness = graphql.default_harness._replace(
    execute=graphql_core_executor.execute, subscribe=graphql_core_executor.subscribe
)
graphql.graphql_sync = partial(graphql.graphql_sync, harness=harness)  # type: ignore[assignment]
graphql.graphql = partial(graphql.graphql, harness=harness)  # type: ignore[assignment]

ran: dict[str, dict[str, Any]] = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    before = Counter(outcomes)
    outcome = yield
    ways = dict(Counter(outcomes) - before)
    failure = outcome.excinfo
    ran[item.nodeid] = {"ways": ways, "failure": repr(failure[1])[:300] if failure else None}


def pytest_sessionfinish() -> None:
    Path(os.environ["UPSTREAM_REPORT"]).write_text(json.dumps(ran))
