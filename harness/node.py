"""JavaScript clients in Node, with the packages of their directory's package-lock.json."""

import asyncio
import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from harness.programs import MissingPrerequisite, program

DIRECTORY = Path(__file__).resolve().parents[1] / "tests" / "node"


async def run_script(script: str, **variables: str) -> Any:
    """What a script of tests/node prints, as JSON; `variables` are its environment. Raises MissingPrerequisite."""
    process = await start_script(script, DIRECTORY, **variables)
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return json.loads(output)


async def start_script(script: str, directory: Path = DIRECTORY, **variables: str) -> asyncio.subprocess.Process:
    """A running script of a directory, its output in a pipe."""
    return await asyncio.create_subprocess_exec(
        *(installed(directory), directory / script),
        env=os.environ | {"NODE_NO_WARNINGS": "1"} | variables,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


@cache
def installed(directory: Path) -> str:
    """Node, after the packages of a directory are installed. Tests of it are in one xdist group: npm takes no turns."""
    node, npm = program("node", "nodejs"), program("npm")
    lock, mark = directory / "package-lock.json", directory / "node_modules" / ".package-lock.json"
    if not mark.exists() or mark.stat().st_mtime < lock.stat().st_mtime:
        installing = subprocess.run([npm, "ci", "--silent"], cwd=directory, capture_output=True, text=True)
        if installing.returncode:
            raise MissingPrerequisite(f"the JavaScript clients cannot be installed: {installing.stderr[-500:]}")
        mark.touch()
    return node
