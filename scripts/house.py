"""The size of the house, and what no file of it may name: exit 1 with a line for each offence."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

FILE_LINES, FUNCTION_LINES = 400, 40
BUILT = "app/web/"
MIGRATIONS = Path("migrations/versions")
ADDRESS = re.compile(r"(pypi|npmjs)\.(org|com)|pythonhosted\.org|--(extra-)?index-url |^registry=|\"resolved\":", re.M)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    names = [name for name in listed.split("\0") if name and not name.startswith(BUILT)]
    return [path for path in map(Path, names) if path.is_file()]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield f"{path}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def addresses(path: Path) -> Iterator[str]:
    """Registries, and places that exist on one machine only."""
    text = path.read_text(errors="replace")
    machine = [f"{place}/" for place in (Path.cwd(), Path.home()) if len(place.parts) > 2 or place == Path.home()]
    yield from (f"{path} names the registry {found[0]!r}" for found in ADDRESS.finditer(text))
    yield from (f"{path} names the machine's {place}" for place in machine if place in text)


def main() -> int:
    paths = tracked()
    python = [path for path in paths if path.suffix == ".py"]
    files = {str(path): len(path.read_text().splitlines()) for path in python}
    # A migration is a list of statements, as long as the tables are.
    bodies = dict(body for path in python if path.parent != MIGRATIONS for body in functions(path))
    wrong = [f"{name}: {lines} lines, at most {FILE_LINES}" for name, lines in files.items() if lines > FILE_LINES]
    wrong += [f"{name}: {n} lines, at most {FUNCTION_LINES}" for name, n in bodies.items() if n > FUNCTION_LINES]
    wrong += [found for path in paths for found in addresses(path)]
    print(f"{len(files)} files, median {median(files.values()):.0f} lines; ", end="")
    print(f"{len(bodies)} functions, median {median(bodies.values()):.0f}")
    print(*wrong, sep="\n" if wrong else "")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
