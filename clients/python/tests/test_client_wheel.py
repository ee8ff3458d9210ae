"""The client's wheel: its metadata, and its modules in an environment that holds nothing else."""

import json
import tempfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from harness import wheels
from harness.wheels import ROOT, Environment

pytestmark = pytest.mark.timeout(600)

IMPORT_ALL = """
import importlib, json, pkgutil, sys
import colloquy
def attempt(name):
    try:
        importlib.import_module(name)
    except ImportError as error:
        return str(error)
names = [module.name for module in pkgutil.walk_packages(colloquy.__path__, "colloquy.")]
print(json.dumps({"file": colloquy.__file__, "modules": {name: attempt(name) for name in names}}))
"""
NEEDS_EXTRA = {
    "colloquy.chainlit": "chainlit",
    "colloquy.chatkit": "chatkit",
    "colloquy.claude_agent_sdk": "claude-agent-sdk",
    "colloquy.google_adk": "google-adk",
    "colloquy.langgraph": "langgraph",
    "colloquy.openai_agents": "openai-agents",
    "colloquy.pydantic_ai": "pydantic-ai",
    "colloquy.strands": "strands",
    "colloquy.mcp.authorization": "mcp",
    "colloquy.mcp.memory_tools": "mcp",
    "colloquy.mcp.server": "mcp",
    "colloquy.mcp.tools": "mcp",
}
TARGET = {"COLLOQUY_URL": "http://127.0.0.1:1", "COLLOQUY_TOKEN": "token"}


@pytest.fixture(scope="module")
def wheel() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield wheels.build(ROOT / "clients/python", Path(directory))


@pytest.fixture(scope="module")
def alone(wheel) -> Iterator[Environment]:
    """An environment with the client and its required packages."""
    with wheels.installed(str(wheel)) as environment:
        yield environment


def test_the_wheel_holds_one_typed_package_and_no_tests(wheel):
    names = ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"colloquy"}
    assert "colloquy/py.typed" in names
    sources = {path.name for path in (ROOT / "clients/python/src/colloquy").glob("**/*.py")}
    assert {Path(name).name for name in names if name.endswith(".py")} == sources
    assert wheels.metadata(wheel, "entry_points.txt").split() == [
        "[console_scripts]",
        "colloquy-mcp",
        "=",
        "colloquy.mcp.__main__:main",
    ]


def test_the_metadata_names_what_the_client_needs_as_ranges(wheel):
    metadata = Parser().parsestr(wheels.metadata(wheel))
    assert (metadata["Name"], metadata["Requires-Python"], metadata["License-Expression"]) == (
        "colloquy-client",
        ">=3.11",
        "Apache-2.0",
    )
    assert metadata.get_all("Provides-Extra") == sorted(set(NEEDS_EXTRA.values()))
    needed = {Requirement(line).name: Requirement(line) for line in metadata.get_all("Requires-Dist")}
    frameworks = (
        "chainlit",
        "claude-agent-sdk",
        "google-adk",
        "langgraph-checkpoint",
        "mcp",
        "openai-agents",
        "openai-chatkit",
        "pydantic-ai-slim",
        "strands-agents",
    )
    markers = {name: str(needed.pop(name).marker) for name in frameworks}
    assert markers == {
        "chainlit": 'extra == "chainlit"',
        "claude-agent-sdk": 'extra == "claude-agent-sdk"',
        "google-adk": 'extra == "google-adk"',
        "langgraph-checkpoint": 'extra == "langgraph"',
        "mcp": 'extra == "mcp"',
        "openai-agents": 'extra == "openai-agents"',
        "openai-chatkit": 'extra == "chatkit"',
        "pydantic-ai-slim": 'extra == "pydantic-ai"',
        "strands-agents": 'extra == "strands"',
    }
    assert set(needed) == {"httpx2", "orjson", "tenacity", "websockets"}
    assert {operator.operator for line in needed.values() for operator in line.specifier} == {">=", "<"}
    assert metadata.get_payload() == (ROOT / "clients/python/README.md").read_text()
    assert "Typing :: Typed" in metadata.get_all("Classifier")


def test_every_module_imports_alone_or_names_its_extra(alone):
    process = alone.run("python", "-I", "-c", IMPORT_ALL)
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert Path(found["file"]).is_relative_to(alone.programs.parent)
    assert {name: error for name, error in found["modules"].items() if name not in NEEDS_EXTRA and error} == {}
    for name, extra in NEEDS_EXTRA.items():
        assert found["modules"][name].endswith(f"install colloquy-client[{extra}]"), found["modules"][name]


@pytest.mark.parametrize("command", [("colloquy-mcp",), ("python", "-m", "colloquy.mcp")])
def test_the_mcp_command_names_the_missing_extra(alone, command):
    process = alone.run(*command, **TARGET)
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr.endswith("install colloquy-client[mcp]\n")
    assert "Traceback" not in process.stderr


def test_the_mcp_command_starts_with_its_extra(wheel):
    with wheels.installed(f"{wheel}[mcp]") as environment:
        process = environment.run("colloquy-mcp", **TARGET)  # its standard input is empty: it ends
        assert (process.returncode, process.stdout) == (0, ""), process.stderr
