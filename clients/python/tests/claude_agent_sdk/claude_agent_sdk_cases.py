"""The SDK's own session tests, unmodified, on our store; `make test-frameworks` runs them."""

import shutil
from pathlib import Path

import pytest

from clients.python.tests.peer_environment import PeerEnvironment, peer_environment
from clients.python.tests.peer_suite import run_pytest

HERE = Path(__file__).resolve().parent
ISOLATED = HERE / "isolated"
pytestmark = [pytest.mark.xdist_group("claude-agent-sdk"), pytest.mark.timeout(900)]

FILES = (
    "tests/test_session_helpers_store.py",
    "tests/test_session_import.py",
    "tests/test_session_resume.py",
    "tests/test_session_store_conformance.py",
    "tests/test_session_summary.py",
    "tests/test_transcript_mirror.py",
)
MTIMES = "it sets the times in the memory of the store"
YIELDS = "it counts turns of the event loop, or hundredths of a second, that a store in memory needs"
EXCLUDED = {
    "tests/test_session_resume.py::TestHappyPath::test_continue_picks_most_recent": MTIMES,
    "tests/test_session_resume.py::TestHappyPath::test_continue_skips_sidechain_sessions": MTIMES,
    "tests/test_session_resume.py::TestHappyPath::test_continue_tie_break_is_deterministic": MTIMES,
    "tests/test_session_resume.py::TestTimeoutsAndErrors::test_list_subkeys_timeout_raises_and_cleans_temp_dir": YIELDS,
    "tests/test_session_resume.py::TestTimeoutsAndErrors::test_cancelled_after_mkdtemp_cleans_temp_dir": YIELDS,
    "tests/test_session_helpers_store.py::TestListSessionsFromStore::test_load_concurrency_is_bounded": YIELDS,
    "tests/test_session_summary.py::TestListSessionsFromStoreFastPath::test_gap_fill_bounded_concurrency": YIELDS,
    "tests/test_transcript_mirror.py::TestReceiveLoopFramePeeling::"
    "test_eager_flush_mode_appends_per_frame_before_result": YIELDS,
}


@pytest.fixture(scope="module")
def environment() -> PeerEnvironment:
    return peer_environment("claude-agent-sdk", HERE / "sdist.txt")


async def test_340_session_tests_of_claude_agent_sdk_pass(environment, server, tmp_path):
    sources = environment.sources("claude-agent-sdk")
    shutil.copytree(sources / "tests", tmp_path / "tests")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib -p anyio\n")
    deselected = [f"--deselect={name}" for name in EXCLUDED]
    selection = (*FILES, "-p", "claude_in_colloquy", *deselected)
    report = await run_pytest(
        environment, server, tmp_path, *selection, junit=tmp_path / "report.xml", isolated=ISOLATED
    )
    assert not report.not_passed, report.output
    assert len(report.passed) == 340, report.output
