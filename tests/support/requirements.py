"""Checks that every test that docs/requirements.md names exists, ran and passed."""

import os
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "requirements.md"


def required() -> set[str]:
    """The test ids on the page, without parameters."""
    return set(re.findall(r"`((?:tests|engine/tests|clients/python/tests)/[\w/]+\.py::\w+)`", PAGE.read_text()))


class Requirements:
    """Collects the outcomes of a run of the whole suite."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.not_passed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.split("[")[0]
        if report.skipped or report.failed:
            self.not_passed.add(test)
        elif report.when == "call":
            self.passed.add(test)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        missing = sorted(required() - (self.passed - self.not_passed))
        if missing:
            print("\nTests of docs/requirements.md that did not pass in this run:", *missing, sep="\n  ")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def is_whole(config: pytest.Config) -> bool:
    """True in the process that controls a run of the whole suite."""
    part = config.option.keyword or config.option.markexpr or config.args != config.getini("testpaths")
    return not part and not hasattr(config, "workerinput")


def watch(config: pytest.Config) -> None:
    """Registers the check when CI runs the whole suite; called when pytest is configured."""
    if os.environ.get("CI") and is_whole(config):
        config.pluginmanager.register(Requirements())
