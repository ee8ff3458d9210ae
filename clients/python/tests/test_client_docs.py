"""The examples of the README and of docs/ print what the pages say, also when they run again."""

import asyncio
import os
import re
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
README, CLIENT, MCP, STRANDS, FRAMEWORKS = (
    ROOT / page
    for page in (
        "clients/python/README.md",
        "docs/client.md",
        "docs/mcp.md",
        "docs/strands.md",
        "docs/frameworks.md",
    )
)
PATH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])  # with the command colloquy-mcp
EXAMPLE = re.compile(r"```python\n(.*?)```\n\nIt prints\n\n```text\n(.*?)```", re.DOTALL)
# The README's examples of LangGraph and Strands need other environments: langgraph/isolated, strands/isolated.
EXAMPLES = [
    pytest.param(program, printed, id=f"{page.stem}-{number}")
    for page in (README, CLIENT, MCP)
    for number, (program, printed) in enumerate(EXAMPLE.findall(page.read_text()))
]
INSTALLS_A_STRANGERS_PACKAGE = re.compile(r"\b[Ii]nstall\s+(?:-\S+\s+)*[`\"']*colloquy(?![\w-])")


async def run(program: str, user) -> str:
    """What the program prints as a user of the server."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        env=os.environ | {"COLLOQUY_URL": user.url, "COLLOQUY_TOKEN": user.token, "PATH": PATH},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return printed.decode()


@pytest.mark.parametrize(("program", "printed"), EXAMPLES)
async def test_an_example_prints_the_same_twice(ann, program, printed):
    assert [await run(program, ann), await run(program, ann)] == [printed, printed]


def test_every_example_with_an_output_is_run():
    for page in (README, CLIENT, MCP):
        assert page.read_text().count("\nIt prints\n") == len(EXAMPLE.findall(page.read_text()))
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("page", [README, CLIENT, MCP, STRANDS, FRAMEWORKS], ids=lambda page: page.stem)
def test_no_page_installs_the_package_of_another_project(page):
    assert not INSTALLS_A_STRANGERS_PACKAGE.search(page.read_text())
    assert "install" not in page.read_text().lower() or "colloquy-client" in page.read_text()


@pytest.mark.parametrize("text", ["pip install colloquy", "Install `colloquy`", "pip install -U 'colloquy[mcp]'"])
def test_the_package_of_another_project_is_recognised(text):
    assert INSTALLS_A_STRANGERS_PACKAGE.search(text)
