"""(a) graphql-core's own execution tests pass on compiled code; (c) and fail on a broken one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.tests import upstream

pytestmark = pytest.mark.xdist_group("upstream")  # one worker fetches


@pytest.fixture(scope="session")
def sources() -> Path:
    try:
        return upstream.fetch()
    except upstream.Unreachable as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"NOT PROVEN: graphql-core's tests could not be fetched: {reason}")


@pytest.mark.timeout(400)
def test_graphql_cores_own_tests_pass_on_compiled_code(sources: Path) -> None:
    report, listed = upstream.run(sources), upstream.exceptions()
    counts = upstream.summary(report, listed)
    print(f"\ngraphql-core's execution tests: {dict(counts)}")
    unexpected = {name for name in report.failed if upstream.short(name) not in listed}
    assert not unexpected, report.output[-3000:]
    assert counts["compiled"] >= 200
    assert counts["compiled"] >= 0.8 * (counts["compiled"] + counts["graphql-core"])


@pytest.mark.timeout(200)
@pytest.mark.parametrize(("broken", "file"), [("nulls", "test_nonnull.py"), ("alias", "test_executor.py")])
def test_a_broken_executor_turns_them_red(sources: Path, broken: str, file: str) -> None:
    assert upstream.run(sources, file, broken=broken).failed
