"""graphql-core's own execution tests pass on compiled code, and fail on a broken executor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.tests import graphql_core_suite

pytestmark = pytest.mark.xdist_group("graphql_core_suite")  # one worker downloads


@pytest.fixture(scope="session")
def sources() -> Path:
    try:
        return graphql_core_suite.fetch()
    except graphql_core_suite.RegistryUnavailable as reason:
        message = f"NOT PROVEN: graphql-core's tests cannot be downloaded: {reason}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)


@pytest.mark.timeout(400)
def test_graphql_cores_own_tests_pass_on_compiled_code(sources: Path) -> None:
    report, exceptions = graphql_core_suite.run(sources), graphql_core_suite.exceptions()
    counts = graphql_core_suite.summary(report, exceptions)
    print(f"\ngraphql-core's execution tests: {dict(counts)}")
    unexpected = {name for name in report.failed if graphql_core_suite.short_name(name) not in exceptions}
    assert not unexpected, report.output[-3000:]
    assert counts["compiled"] >= 200
    assert counts["compiled"] >= 0.8 * (counts["compiled"] + counts["graphql-core"])


@pytest.mark.timeout(200)
@pytest.mark.parametrize(("defect", "file"), [("nulls", "test_nonnull.py"), ("alias", "test_executor.py")])
def test_graphql_cores_own_tests_fail_on_a_broken_executor(sources: Path, defect: str, file: str) -> None:
    assert graphql_core_suite.run(sources, file, defect=defect).failed
