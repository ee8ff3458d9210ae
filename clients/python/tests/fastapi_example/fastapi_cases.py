"""The example of FastAPI, in the environment of pydantic-ai, read by AI SDK: `make test-frameworks` runs it."""

import subprocess
from pathlib import Path

import pytest

from clients.python.tests.peer_environment import PeerEnvironment, peer_environment
from clients.python.tests.peer_suite import run_pytest
from harness.programs import MissingPrerequisite
from harness.wheels import ROOT

ISOLATED = Path(__file__).resolve().parent / "isolated"
pytestmark = [pytest.mark.xdist_group("pydantic-ai"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def environment() -> PeerEnvironment:
    return peer_environment("pydantic-ai")


@pytest.fixture(scope="module")
def ai_sdk() -> None:
    """The packages of clients/typescript, of which AI SDK is one."""
    installed = subprocess.run([ROOT / "scripts/install_typescript"], capture_output=True, text=True)
    if installed.returncode:
        raise MissingPrerequisite(installed.stderr.strip()[-500:])


async def test_the_example_answers_chats_of_ai_sdk(environment, ai_sdk, server, tmp_path):
    report = await run_pytest(environment, server, ISOLATED, junit=tmp_path / "report.xml", isolated=ISOLATED)
    assert report.passed, report.output
    assert not report.not_passed, report.output
