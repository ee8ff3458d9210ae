"""The store for ChatKit: ChatKit's own tests, unmodified, and ours, in an environment of their own.

`make test-frameworks` runs them.
"""

import shutil
from pathlib import Path

import pytest

from clients.python.tests.peer_environment import PeerEnvironment, peer_environment
from clients.python.tests.peer_suite import run_pytest

HERE = Path(__file__).resolve().parent
ISOLATED = HERE / "isolated"
STORE_TESTS, SERVER_TESTS = "tests/test_store.py", "tests/test_chatkit_server.py"
pytestmark = [pytest.mark.xdist_group("chatkit"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment() -> PeerEnvironment:
    return peer_environment("chatkit", HERE / "sdist.txt")


async def test_64_tests_of_chatkit_pass(environment, server, tmp_path):
    shutil.copytree(HERE / "overrides", tmp_path, dirs_exist_ok=True)
    for name in (STORE_TESTS, SERVER_TESTS):
        shutil.copy(environment.sources("openai-chatkit") / name, tmp_path / name)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")  # as its pyproject.toml has
    report = await run_pytest(
        environment, server, tmp_path, STORE_TESTS, SERVER_TESTS, junit=tmp_path / "report.xml", isolated=ISOLATED
    )
    assert not report.not_passed, report.output
    of_store = [name for name in report.passed if "test_store" in name]
    assert (len(of_store), len(report.passed) - len(of_store)) == (30, 48), report.output


@pytest.mark.parametrize("file", sorted(path.name for path in ISOLATED.glob("test_*.py")))
async def test_our_own_tests_pass_in_the_environment_of_chatkit(environment, server, tmp_path, file):
    report = await run_pytest(environment, server, ISOLATED, file, junit=tmp_path / "report.xml", isolated=ISOLATED)
    assert report.passed, report.output
    assert not report.not_passed, report.output
