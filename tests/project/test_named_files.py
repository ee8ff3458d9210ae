"""The pages name files that exist: a file that moves takes its name in the documentation with it."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
PAGES = [name for name in TRACKED if name.endswith(".md") and not name.startswith(("app/web/", "bench/results/"))]
FILE = re.compile(r"`([\w./-]+\.(?:py|ts|tsx|graphql|toml|yaml|js))`")


def is_tracked(name):
    """True for a path from the root, or the end of one."""
    return any(path == name or path.endswith(f"/{name}") for path in TRACKED)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page):
    assert [name for name in FILE.findall((ROOT / page).read_text()) if not is_tracked(name)] == []
