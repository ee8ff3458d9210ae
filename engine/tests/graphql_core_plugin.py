"""pytest plugin: runs graphql-core's own tests on the drop-ins, and counts how each test was executed."""

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
from graphql_compiled import graphql_core_executor, outcomes
from graphql_compiled.tiered_operation import OperationCache

if defect := os.environ.get("EXECUTOR_DEFECT"):
    from broken_executors import broken

    permanent_defect = broken(defect)
    permanent_defect.__enter__()

graphql_core_executor.CompiledExecution.operations = OperationCache(threshold=1)
for module in (graphql, graphql.execution):
    for name in ("execute", "execute_sync", "subscribe"):
        setattr(module, name, getattr(graphql_core_executor, name))
harness = graphql.default_harness._replace(
    execute=graphql_core_executor.execute, subscribe=graphql_core_executor.subscribe
)
graphql.graphql_sync = partial(graphql.graphql_sync, harness=harness)  # type: ignore[assignment]
graphql.graphql = partial(graphql.graphql, harness=harness)  # type: ignore[assignment]

tests: dict[str, dict[str, Any]] = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    before = Counter(outcomes)
    outcome = yield
    counted = dict(Counter(outcomes) - before)
    failure = outcome.excinfo
    tests[item.nodeid] = {"outcomes": counted, "failure": repr(failure[1])[:300] if failure else None}


def pytest_sessionfinish() -> None:
    Path(os.environ["SUITE_REPORT"]).write_text(json.dumps(tests))
