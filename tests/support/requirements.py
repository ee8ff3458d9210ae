"""Checks that every test that docs/requirements.md names exists, ran and passed: in `make test`, or in `*_cases.py`."""

import os
import re
from pathlib import Path

import pytest

from harness import citus

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "requirements.md"
CASES = "_cases.py::"  # `make test-frameworks` runs these files


def required(*, cases: bool = False) -> set[str]:
    """The test ids on the page, without parameters: those of `make test`, or those of `make test-frameworks`."""
    found = re.findall(r"`((?:tests|engine/tests|clients/python/tests)/[\w/]+\.py::\w+)`", PAGE.read_text())
    return {test for test in found if (CASES in test) is cases}


class Requirements:
    """Collects the outcomes of a run that must pass the `required` tests."""

    def __init__(self, required: set[str]) -> None:
        self.required = required
        self.passed: set[str] = set()
        self.not_passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = re.split(r"[\[@]", report.nodeid)[0]  # without parameters and xdist group
        if report.skipped and citus.NOT_TESTED in str(report.longrepr):
            self.passed.add(test)  # no registry carries Citus; the run ends with a line about it
        elif report.skipped or report.failed:
            self.not_passed.add(test)
        elif report.when == "call":
            self.passed.add(test)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        missing = sorted(self.required - (self.passed - self.not_passed))
        if missing:
            print("\nTests of docs/requirements.md that did not pass in this run:", *missing, sep="\n  ")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def is_whole(config: pytest.Config) -> bool:
    """True in the process that controls a run of the whole suite."""
    part = config.option.keyword or config.option.markexpr or config.args != config.getini("testpaths")
    return not part and not hasattr(config, "workerinput")


def is_of_frameworks(config: pytest.Config) -> bool:
    """True in the process that controls a run of all files of `make test-frameworks`."""
    files = {path.resolve() for path in map(Path, config.args)}
    return files == set(ROOT.glob("clients/python/tests/*/*_cases.py")) and not hasattr(config, "workerinput")


def watch(config: pytest.Config) -> None:
    """Registers the check when CI runs a whole suite; called when pytest is configured."""
    if not os.environ.get("CI"):
        return
    if is_whole(config):
        config.pluginmanager.register(Requirements(required()))
    elif is_of_frameworks(config):
        config.pluginmanager.register(Requirements(required(cases=True)))
