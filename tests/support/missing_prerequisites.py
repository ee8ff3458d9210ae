"""A plugin: a test without a program or a registry that it needs is skipped with the reason, and fails in CI."""

import os

import pytest

from harness.programs import MissingPrerequisite


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """Turns `MissingPrerequisite`, from a test or from a fixture, into a skip."""
    if call.excinfo and isinstance(call.excinfo.value, MissingPrerequisite) and "CI" not in os.environ:
        reason = str(call.excinfo.value)
        call.excinfo = pytest.CallInfo.from_call(lambda: pytest.skip(reason), call.when).excinfo
