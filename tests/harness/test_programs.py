"""A program that is not installed: tests that need it are skipped with a reason, and fail in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.programs import MissingPrerequisite, program

ROOT = Path(__file__).parents[2]
TEST = """
from harness.programs import program

def test_something():
    program("no-such-program")
"""


def test_a_program_is_found_under_its_first_installed_name():
    assert program("no-such-program", "sh").endswith("/sh")
    with pytest.raises(MissingPrerequisite, match=r"no-such-program .* NOT tested"):
        program("no-such-program")


@pytest.mark.parametrize(("environment", "outcome"), [({}, "1 skipped"), ({"CI": "true"}, "1 failed")])
def test_a_missing_program_skips_its_test_and_fails_in_ci(tmp_path, environment, outcome):
    (tmp_path / "test_it.py").write_text(TEST)
    line = [
        "-c",
        "pyproject.toml",
        "-p",
        "tests.support.missing_prerequisites",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:cov",
    ]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *line, str(tmp_path / "test_it.py")],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "CI"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in result.stdout
    assert "no-such-program is not installed" in result.stdout
