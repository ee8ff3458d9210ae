"""Checks sizes, names and contents of all tracked files: exit 1 with one line per offence."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 40
BUILT = "app/web/"
MIGRATIONS = Path("migrations/versions")
TESTS = ("tests/", "engine/tests/", "clients/python/tests/")
SHARED_NAMES = {"__init__.py", "conftest.py"}
REQUIREMENTS = Path("docs/requirements.md")
ADDRESS = re.compile(
    r"(pypi|npmjs)\.(org|com)|pythonhosted\.org|--(extra-)?index-url |^registry=|\"resolved\": \"\w+:", re.M
)


def tracked() -> list[Path]:
    """All files that git tracks, without the built pages."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    names = [name for name in listed.split("\0") if name and not name.startswith(BUILT)]
    return [path for path in map(Path, names) if path.is_file()]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a file and its number of lines."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield f"{path}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def too_long(lengths: dict[str, int], maximum: int) -> list[str]:
    return [f"{name}: {lines} lines, at most {maximum}" for name, lines in lengths.items() if lines > maximum]


def addresses(path: Path) -> Iterator[str]:
    """Hosts of package registries, and directories that exist on one machine only."""
    text = path.read_text(errors="replace")
    here, home = Path.cwd(), Path.home()
    directories = [f"{directory}/" for directory in (here, home) if len(directory.parts) > 2 or directory == home]
    yield from (f"{path} names the registry {found[0]!r}" for found in ADDRESS.finditer(text))
    yield from (f"{path} names the machine's {directory}" for directory in directories if directory in text)


def repeated_names(paths: Iterable[Path]) -> Iterator[str]:
    """Files of the tests that share a name, in whatever directory: a test is found by its file's name."""
    by_name = defaultdict(list)
    for path in paths:
        if str(path).startswith(TESTS) and path.name not in SHARED_NAMES:
            by_name[path.name].append(str(path))
    yield from (f"{name} is the name of {', '.join(found)}" for name, found in by_name.items() if len(found) > 1)


def absent_tests() -> Iterator[str]:
    """Tests that docs/requirements.md names and no file has."""
    for name, test in re.findall(r"`([\w/]+\.py)::(\w+)`", REQUIREMENTS.read_text()):
        if not Path(name).exists() or f"def {test}(" not in Path(name).read_text():
            yield f"{REQUIREMENTS} names {name}::{test}, which does not exist"


def main() -> int:
    paths = tracked()
    python = [path for path in paths if path.suffix == ".py"]
    files = {str(path): len(path.read_text().splitlines()) for path in python}
    # A migration is a list of statements, as long as the tables are.
    bodies = dict(body for path in python if path.parent != MIGRATIONS for body in functions(path))
    wrong = [*too_long(files, MAX_FILE_LINES), *too_long(bodies, MAX_FUNCTION_LINES)]
    wrong += [found for path in paths for found in addresses(path)]
    wrong += [*repeated_names(python), *absent_tests()]
    print(f"{len(files)} files, median {median(files.values()):.0f} lines; ", end="")
    print(f"{len(bodies)} functions, median {median(bodies.values()):.0f}")
    print(*wrong, sep="\n" if wrong else "")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
