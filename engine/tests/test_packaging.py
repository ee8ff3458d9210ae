"""The distribution: its wheel runs alone, and its core runs without Strawberry."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import wheels

ENGINE = Path(__file__).resolve().parents[1]
CORE = sorted(
    path.stem
    for path in (ENGINE / "src/graphql_compiled").glob("*.py")
    if not path.stem.startswith(("__", "strawberry"))
)
WITHOUT_STRAWBERRY = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "strawberry":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocked())
"""
SMOKE_TEST = """
from graphql import build_schema, parse
from graphql_compiled import execute, outcomes

schema, document = build_schema("type Query { hello(name: String!): String }"), parse('{ hello(name: "you") }')
for _ in range(2):
    result = execute(schema, document, {"hello": lambda _info, name: f"Hello, {name}!"})
    assert result.data == {"hello": "Hello, you!"}, result
assert outcomes == {"first run": 1, "compiled": 1}, outcomes
"""


def test_the_engine_and_its_tests_import_nothing_of_the_server() -> None:
    imports = re.compile(r"^\s*(?:from|import) (?:app|tests|bench|chaos|colloquy)\b", re.MULTILINE)
    assert [path for path in ENGINE.rglob("*.py") if imports.search(path.read_text())] == []


def test_every_core_module_works_without_strawberry() -> None:
    imports = "".join(f"import graphql_compiled.{name}\n" for name in CORE)
    code = WITHOUT_STRAWBERRY + imports + SMOKE_TEST + "assert 'strawberry' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(300)
def test_the_wheel_runs_alone_with_graphql_core(tmp_path: Path) -> None:
    wheel = wheels.build(ENGINE, tmp_path)
    with wheels.installed(str(wheel)) as environment:
        done = environment.run("python", "-c", SMOKE_TEST)
        assert done.returncode == 0, done.stderr
        installed = environment.run(
            "python", "-c", "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
        )
        assert sorted(installed.stdout.split()) == ["graphql-compiled", "graphql-core"]
        typed = environment.run(
            "python",
            "-c",
            "import graphql_compiled as g, pathlib as p; print(p.Path(g.__file__).with_name('py.typed').exists())",
        )
        assert typed.stdout.strip() == "True"
