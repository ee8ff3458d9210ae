"""The session service for Google ADK, which ships no tests of services: ours, in an environment of their own.

`make test-frameworks` runs them.
"""

from pathlib import Path

import pytest

from clients.python.tests.peer_environment import PeerEnvironment, peer_environment
from clients.python.tests.peer_restart import output_across_restart
from clients.python.tests.peer_suite import run_pytest

ISOLATED = Path(__file__).resolve().parent / "isolated"
pytestmark = [pytest.mark.xdist_group("google-adk"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment() -> PeerEnvironment:
    return peer_environment("google-adk")


@pytest.mark.parametrize("file", sorted(path.name for path in ISOLATED.glob("test_*.py")))
async def test_our_own_tests_pass_in_the_environment_of_google_adk(environment, server, tmp_path, file):
    report = await run_pytest(environment, server, ISOLATED, file, junit=tmp_path / "report.xml", isolated=ISOLATED)
    assert report.passed, report.output
    assert not report.not_passed, report.output


async def test_a_session_goes_on_when_the_server_is_killed_and_started_again(environment, database_url, tmp_path):
    printed = await output_across_restart(environment, database_url, ISOLATED / "adk_restart.py", tmp_path)
    assert printed == "2 {'one': 1, 'user:two': 2, 'app:a': 1}\n"
