"""Every requirement is shown: the tests that docs/requirements.md names are there, were run, and passed."""

import os
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "requirements.md"


def named() -> set[str]:
    """The ids on the page, without the parameters of a test."""
    return set(re.findall(r"`((?:tests|engine/tests|clients/python/tests)/[\w/]+\.py::\w+)`", PAGE.read_text()))


class Requirements:
    """Looks at a run of the whole suite in CI; a run of a part of it is let be."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.otherwise: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.split("[")[0]
        if report.skipped or report.failed:
            self.otherwise.add(test)
        elif report.when == "call":
            self.passed.add(test)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        unshown = sorted(named() - (self.passed - self.otherwise))
        if unshown:
            print("\nRequirements that this run has not shown:", *unshown, sep="\n  ")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def is_whole(config: pytest.Config) -> bool:
    """Whether this process oversees a run of everything."""
    part = config.option.keyword or config.option.markexpr or config.args != config.getini("testpaths")
    return not part and not hasattr(config, "workerinput")


def watch(config: pytest.Config) -> None:
    """To be called when pytest is configured."""
    if os.environ.get("CI") and is_whole(config):
        config.pluginmanager.register(Requirements())
