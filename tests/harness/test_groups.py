"""Tests of one xdist group run in one process, one after another: they share what can be there once."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEST = """
import pytest

@pytest.mark.parametrize("number", range(8))
@pytest.mark.xdist_group("together")
def test_together(number):
    pass

@pytest.mark.parametrize("number", range(8))
def test_anywhere(number):
    pass
"""


def test_the_tests_of_a_group_run_in_one_process(tmp_path):
    (tmp_path / "test_it.py").write_text(TEST)
    plugins = ["-p", "tests.support.groups", "-p", "no:cacheprovider", "-p", "no:cov"]
    line = ["-c", "pyproject.toml", *plugins, "-n", "2", "--dist", "loadgroup", "-v", str(tmp_path / "test_it.py")]
    run = subprocess.run([sys.executable, "-m", "pytest", *line], cwd=ROOT, capture_output=True, text=True, check=True)
    processes = re.findall(r"\[(gw\d)\].*PASSED.*test_together", run.stdout)
    assert len(processes) == 8
    assert len(set(processes)) == 1
