"""The data layer for Chainlit: Chainlit's own tests, unmodified, and ours, in an environment of their own.

`make test-frameworks` runs them.
"""

import shutil
from pathlib import Path

import pytest

from clients.python.tests.peer_environment import PeerEnvironment, peer_environment
from clients.python.tests.peer_restart import output_across_restart
from clients.python.tests.peer_suite import run_pytest

HERE = Path(__file__).resolve().parent
ISOLATED = HERE / "isolated"
DATA_LAYER_TESTS = "tests/data/test_sql_alchemy.py"
FIXTURES = ("tests/__init__.py", "tests/conftest.py", "tests/data/__init__.py", "tests/data/conftest.py")
pytestmark = [pytest.mark.xdist_group("chainlit"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment() -> PeerEnvironment:
    return peer_environment("chainlit", HERE / "sdist.txt")


async def test_15_tests_of_chainlit_pass(environment, server, tmp_path):
    (tmp_path / "tests/data").mkdir(parents=True)
    for name in (*FIXTURES, DATA_LAYER_TESTS):
        shutil.copy(environment.sources("chainlit") / name, tmp_path / name)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")  # as its pyproject.toml has
    selection = (DATA_LAYER_TESTS, "-p", "colloquy_in_sql_alchemy")
    report = await run_pytest(
        environment, server, tmp_path, *selection, junit=tmp_path / "report.xml", isolated=ISOLATED
    )
    assert not report.not_passed, report.output
    assert len(report.passed) == 15, report.output


@pytest.mark.parametrize("file", sorted(path.name for path in ISOLATED.glob("test_*.py")))
async def test_our_own_tests_pass_in_the_environment_of_chainlit(environment, server, tmp_path, file):
    report = await run_pytest(
        environment,
        server,
        ISOLATED,
        file,
        junit=tmp_path / "report.xml",
        isolated=ISOLATED,
        variables={"CHAINLIT_APP_ROOT": str(tmp_path)},  # where Chainlit writes its settings
    )
    assert report.passed, report.output
    assert not report.not_passed, report.output


async def test_a_thread_goes_on_when_the_server_is_killed_and_started_again(environment, database_url, tmp_path):
    printed = await output_across_restart(environment, database_url, ISOLATED / "data_layer_restart.py", tmp_path)
    assert printed == "['one', 'two']\n"
