"""Runs pytest in the environment of a framework, against a real server."""

import asyncio
import os
from pathlib import Path
from xml.etree import ElementTree

from clients.python.tests.peer_environment import PeerEnvironment
from harness.server_settings import SECRET
from harness.wheels import ROOT
from tests.support.servers import Server

PEER_SUPPORT = Path(__file__).resolve().parent / "peer_support"


class Report:
    """The result of one pytest run: the names of tests that passed, those of all others, and the output."""

    def __init__(self, junit: Path, output: str) -> None:
        self.passed: list[str] = []
        self.not_passed: list[str] = []
        self.output = output
        for case in ElementTree.parse(junit).iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            (self.not_passed if len(case) else self.passed).append(name)


async def run_pytest(
    environment: PeerEnvironment,
    server: Server,
    directory: Path,
    *arguments: str,
    junit: Path,
    isolated: Path,
    variables: dict[str, str] | None = None,
) -> Report:
    """Runs pytest in `directory`; `isolated` and `peer_support` have the modules that the tests and plugins import."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, (isolated, PEER_SUPPORT, ROOT / "clients/python/src"))),
        "COLLOQUY_URL": server.url,
        "COLLOQUY_SECRET": SECRET,
        **(variables or {}),
    }
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={junit}", "-c", str(directory / "pytest.ini")]
    process = await asyncio.create_subprocess_exec(
        *(environment.python, "-m", "pytest", *options, *arguments),
        cwd=directory,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert junit.exists(), output.decode()
    return Report(junit, output.decode())
