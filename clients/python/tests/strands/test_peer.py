"""The tests of strands-agents for its own repositories, unmodified, with our repository on a real server."""

import asyncio
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from clients.python.tests.strands import peer
from clients.python.tests.strands.peer import HERE, ROOT, Peer
from harness.server_settings import SECRET
from tests.support.servers import Server

pytestmark = [pytest.mark.xdist_group("strands"), pytest.mark.timeout(900)]

REPOSITORY = "tests/strands/session/test_repository_session_manager.py"
FILES = "tests/strands/session/test_file_session_manager.py"
PATHS, RULES = "it looks at the files that the session left on disk", "it asks how an id becomes a path on disk"
EXCLUDED = {
    "test_create_session": PATHS,
    "test_delete_session": PATHS,
    "test_create_agent": PATHS,
    "test_create_message": PATHS,
    "test_message_durable_id_persists": PATHS,
    "test_corrupted_json_file": "it reads a broken file",
    "test__get_session_path_invalid_session_id": RULES,
    "test__get_agent_path_invalid_agent_id": RULES,
    "test__get_message_path_invalid_message_id": RULES,
    "test_create_multi_agent": PATHS,
    "test_create_session_multi_agent_directory_structure": PATHS,
}


@pytest.fixture(scope="module")
def strands() -> Peer:
    return peer.fetched()


class Run:
    """What pytest said in the peer's environment: the names that passed, and everything else in words."""

    def __init__(self, report: Path, said: str) -> None:
        self.passed: list[str] = []
        self.otherwise: list[str] = []
        self.said = said
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            (self.otherwise if len(case) else self.passed).append(name)


async def runs(strands: Peer, server: Server, report: Path, place: Path, *arguments: str) -> Run:
    """Pytest in the peer's environment, at the server of this run."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, (HERE / "inside", ROOT, ROOT / "clients/python/src"))),
        "COLLOQUY_URL": server.url,
        "COLLOQUY_SECRET": SECRET,
    }
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", "-c", str(place / "pytest.ini")]
    process = await asyncio.create_subprocess_exec(
        *(strands.python, "-m", "pytest", *options, *arguments),
        cwd=place,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert report.exists(), said.decode()
    return Run(report, said.decode())


async def test_72_of_the_peers_own_tests_pass_against_a_real_server(strands, server, tmp_path):
    for name in (
        "tests/__init__.py",
        "tests/strands/__init__.py",
        "tests/strands/session/__init__.py",
        REPOSITORY,
        FILES,
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(strands.sources / name, tmp_path / name)
    shutil.copytree(HERE / "replaced", tmp_path, dirs_exist_ok=True)
    left_out = [f"--deselect={FILES}::{name}" for name in EXCLUDED]
    run = await runs(strands, server, tmp_path / "report.xml", tmp_path, REPOSITORY, FILES, *left_out)
    assert not run.otherwise, run.said
    of_repository = [name for name in run.passed if name.startswith(REPOSITORY.removesuffix(".py").replace("/", "."))]
    assert (len(of_repository), len(run.passed)) == (51, 72), run.said


@pytest.mark.parametrize("stories", sorted(path.name for path in (HERE / "inside").glob("test_*.py")))
async def test_our_own_stories_in_the_peers_environment(strands, server, tmp_path, stories):
    run = await runs(strands, server, tmp_path / "report.xml", HERE / "inside", stories)
    assert run.passed, run.said
    assert not run.otherwise, run.said
