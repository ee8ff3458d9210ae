"""A plugin: a test whose program is not installed is skipped with the reason, and fails in CI."""

import os

import pytest

from harness.programs import MissingProgram


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """Turns `MissingProgram`, from a test or from a fixture, into a skip."""
    if call.excinfo and isinstance(call.excinfo.value, MissingProgram) and "CI" not in os.environ:
        reason = str(call.excinfo.value)
        call.excinfo = pytest.CallInfo.from_call(lambda: pytest.skip(reason), call.when).excinfo
