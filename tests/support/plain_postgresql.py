"""A plugin: `pytest.mark.plain_postgresql("reason")` skips a test on a cluster of Citus, and shows the reason.

The marks are the list of exceptions in docs/scale.md, which `python -m tests.support.plain_postgresql` renews.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import citus

MARK = "plain_postgresql"
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scale.md"
BEGIN, END = f"<!-- written by python -m tests.support.{MARK} -->", "<!-- end of the exceptions -->"


def pytest_configure(config: pytest.Config) -> None:
    """Declares the mark."""
    config.addinivalue_line("markers", f"{MARK}(reason): skipped on a cluster of Citus")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the marked tests on a cluster."""
    if citus.cluster_url() is None:
        return
    for item in items:
        if mark := item.get_closest_marker(MARK):
            item.add_marker(pytest.mark.skip(reason=f"not on Citus: {mark.args[0]}"))


def marks(path: Path) -> Iterator[tuple[str, str]]:
    """The reasons in a file, each with the test that it belongs to; an empty name stands for all tests of the file."""
    for node in ast.parse(path.read_text()).body:
        name = getattr(node, "name", "")
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == MARK:
                yield ast.literal_eval(call.args[0]), name


def exceptions() -> str:
    """The list of all marked tests, by reason."""
    tests = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for reason, name in marks(path):
            tests[reason].append(f"`{path.relative_to(ROOT)}{'::' if name else ''}{name}`")
    return "".join(f"- {reason[0].upper()}{reason[1:]}: {', '.join(tests[reason])}\n" for reason in sorted(tests))


def renewed(page: str) -> str:
    """The page with the list of today's marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{exceptions()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
