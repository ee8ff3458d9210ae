"""The store for the Claude Agent SDK: its 14 contracts and our own tests, in its environment."""

from pathlib import Path

import pytest

from clients.python.tests.peer_environment import PeerEnvironment, peer_environment
from clients.python.tests.peer_suite import run_pytest

HERE = Path(__file__).resolve().parent
ISOLATED = HERE / "isolated"
pytestmark = [pytest.mark.xdist_group("claude-agent-sdk"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment() -> PeerEnvironment:
    return peer_environment("claude-agent-sdk", HERE / "sdist.txt")


@pytest.mark.parametrize("file", sorted(path.name for path in ISOLATED.glob("test_*.py")))
async def test_our_own_tests_pass_in_the_environment_of_claude_agent_sdk(environment, server, tmp_path, file):
    report = await run_pytest(environment, server, ISOLATED, file, junit=tmp_path / "report.xml", isolated=ISOLATED)
    assert report.passed, report.output
    assert not report.not_passed, report.output
