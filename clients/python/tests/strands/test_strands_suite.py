"""The repository for Strands: the suite of strands-agents, unmodified, and our own tests, in its environment."""

import asyncio
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from clients.python.tests.strands.strands_environment import HERE, ROOT, StrandsEnvironment, strands_environment
from harness.server_settings import SECRET
from tests.support.servers import Server

pytestmark = [pytest.mark.xdist_group("strands"), pytest.mark.timeout(900)]

SESSION_MANAGER_TESTS = "tests/strands/session/test_repository_session_manager.py"
FILE_TESTS = "tests/strands/session/test_file_session_manager.py"
READS_FILES, CHECKS_PATHS = "it reads the files of a session", "it checks how an id becomes a path"
EXCLUDED = {
    "test_create_session": READS_FILES,
    "test_delete_session": READS_FILES,
    "test_create_agent": READS_FILES,
    "test_create_message": READS_FILES,
    "test_message_durable_id_persists": READS_FILES,
    "test_corrupted_json_file": "it reads a broken file",
    "test__get_session_path_invalid_session_id": CHECKS_PATHS,
    "test__get_agent_path_invalid_agent_id": CHECKS_PATHS,
    "test__get_message_path_invalid_message_id": CHECKS_PATHS,
    "test_create_multi_agent": READS_FILES,
    "test_create_session_multi_agent_directory_structure": READS_FILES,
}


@pytest.fixture(scope="module")
def environment() -> StrandsEnvironment:
    return strands_environment()


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
    environment: StrandsEnvironment, server: Server, junit: Path, directory: Path, *arguments: str
) -> Report:
    """Runs pytest in the environment of strands-agents, against this server."""
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, (HERE / "isolated", ROOT / "clients/python/src"))),
        "COLLOQUY_URL": server.url,
        "COLLOQUY_SECRET": SECRET,
    }
    options = ["-q", "-p", "no:cacheprovider", f"--junitxml={junit}", "-c", str(directory / "pytest.ini")]
    process = await asyncio.create_subprocess_exec(
        *(environment.python, "-m", "pytest", *options, *arguments),
        cwd=directory,
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert junit.exists(), output.decode()
    return Report(junit, output.decode())


async def test_72_tests_of_strands_agents_pass_against_a_real_server(environment, server, tmp_path):
    packages = ("tests/__init__.py", "tests/strands/__init__.py", "tests/strands/session/__init__.py")
    for name in (*packages, SESSION_MANAGER_TESTS, FILE_TESTS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(environment.sources / name, tmp_path / name)
    shutil.copytree(HERE / "overrides", tmp_path, dirs_exist_ok=True)
    deselected = [f"--deselect={FILE_TESTS}::{name}" for name in EXCLUDED]
    selection = (SESSION_MANAGER_TESTS, FILE_TESTS, *deselected)
    report = await run_pytest(environment, server, tmp_path / "report.xml", tmp_path, *selection)
    assert not report.not_passed, report.output
    module = SESSION_MANAGER_TESTS.removesuffix(".py").replace("/", ".")
    of_session_manager = [name for name in report.passed if name.startswith(module)]
    assert (len(of_session_manager), len(report.passed)) == (51, 72), report.output


@pytest.mark.parametrize("file", sorted(path.name for path in (HERE / "isolated").glob("test_*.py")))
async def test_our_own_tests_pass_in_the_environment_of_strands(environment, server, tmp_path, file):
    report = await run_pytest(environment, server, tmp_path / "report.xml", HERE / "isolated", file)
    assert report.passed, report.output
    assert not report.not_passed, report.output
