"""The tests that a cluster of Citus skips: docs/scale.md lists all of them, and a run on a cluster shows the reasons."""

import os
import subprocess
import sys

from harness.citus import VARIABLE
from tests.support.plain_postgresql import BEGIN, END, PAGE, ROOT, marks, renewed

FILE = "tests/db/test_row_security.py"


def test_the_page_lists_every_test_that_a_cluster_skips():
    page = PAGE.read_text()
    assert renewed(page) == page, "python -m tests.support.plain_postgresql"
    listed = page.partition(BEGIN)[2].partition(END)[0]
    assert f"`{FILE}`" in listed


def test_a_mark_is_found_wherever_it_stands(tmp_path):
    file = tmp_path / "test_sample.py"
    mark = "pytest.mark.plain_postgresql"
    file.write_text(
        f'pytestmark = [{mark}("all")]\n'
        f'@{mark}("one")\ndef test_one(): pass\n'
        f'@pytest.mark.parametrize("n", [1, pytest.param(2, marks={mark}("a value"))])\nasync def test_two(n): pass\n'
    )
    assert list(marks(file)) == [("all", ""), ("one", "test_one"), ("a value", "test_two")]


def test_a_cluster_skips_a_marked_test_with_its_reason():
    """The cluster of this run does not exist: nothing connects to it."""
    line = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", FILE]
    cluster = os.environ | {VARIABLE: "postgresql://nobody@127.0.0.1:1/none"}
    done = subprocess.run(line, cwd=ROOT, env=cluster, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "not on Citus: row-level security" in done.stdout
    assert " passed" not in done.stdout
