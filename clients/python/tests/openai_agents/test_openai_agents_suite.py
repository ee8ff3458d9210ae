"""The session for the OpenAI Agents SDK: the SDK's own tests, unmodified, and ours, in an environment of their own."""

import shutil
from pathlib import Path

import pytest

from clients.python.tests.peer_environment import PeerEnvironment, peer_environment
from clients.python.tests.peer_suite import run_pytest

HERE = Path(__file__).resolve().parent
ISOLATED = HERE / "isolated"
pytestmark = [pytest.mark.xdist_group("openai-agents"), pytest.mark.timeout(900)]

SESSION_TESTS, LIMIT_TESTS = "tests/memory/test_session.py", "tests/memory/test_session_limit.py"
CONNECTIONS, BROKEN_ROWS, LOCKS = "the connections of SQLite", "rows that are no JSON", "the locks of SQLite"
EXCLUDED = {
    "test_sqlite_session_close_closes_worker_thread_connections": CONNECTIONS,
    "test_sqlite_session_reaps_connections_from_exited_worker_threads": CONNECTIONS,
    "test_sqlite_session_closes_retired_connections_before_the_next_allocation": CONNECTIONS,
    "test_sqlite_session_keeps_connections_of_live_worker_threads": CONNECTIONS,
    "test_sqlite_session_closed_rejects_empty_add_items": "a closed database; our session opens a connection again",
    "test_sqlite_session_pop_item_skips_corrupt_most_recent": BROKEN_ROWS,
    "test_sqlite_session_pop_item_returns_none_after_dropping_only_corrupt_rows": BROKEN_ROWS,
    "test_sqlite_session_get_items_limit_skips_corrupt_newest_rows": BROKEN_ROWS,
    "test_sqlite_session_get_items_session_settings_limit_skips_corrupt_rows": BROKEN_ROWS,
    "test_sqlite_session_file_lock_is_shared_across_instances": LOCKS,
    "test_sqlite_session_failed_add_items_releases_write_lock": LOCKS,
    "test_sqlite_session_failed_clear_session_rolls_back": CONNECTIONS,
    "test_sqlite_session_failed_pop_item_releases_write_lock": LOCKS,
    "test_sqlite_session_rollback_failure_evicts_connection": CONNECTIONS,
    "test_sqlite_session_close_retries_quarantined_connection": CONNECTIONS,
    "test_sqlite_session_post_commit_cancellation_propagates_after_known_outcome": CONNECTIONS,
}


@pytest.fixture(scope="module")
def environment() -> PeerEnvironment:
    return peer_environment("openai-agents", HERE / "sdist.txt")


async def test_53_session_tests_of_openai_agents_pass(environment, server, tmp_path):
    sources = environment.sources("openai-agents")
    shutil.copytree(sources / "tests", tmp_path / "tests")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = session\n"
    )  # as its pyproject.toml has
    deselected = [f"--deselect={SESSION_TESTS}::{name}" for name in EXCLUDED]
    selection = (SESSION_TESTS, LIMIT_TESTS, "-p", "colloquy_in_sqlite", *deselected)
    report = await run_pytest(
        environment, server, tmp_path, *selection, junit=tmp_path / "report.xml", isolated=ISOLATED
    )
    assert not report.not_passed, report.output
    of_limits = [name for name in report.passed if "test_session_limit" in name]
    assert (len(report.passed) - len(of_limits), len(of_limits)) == (38, 15), report.output


@pytest.mark.parametrize("file", sorted(path.name for path in ISOLATED.glob("test_*.py")))
async def test_our_own_tests_pass_in_the_environment_of_openai_agents(environment, server, tmp_path, file):
    report = await run_pytest(environment, server, ISOLATED, file, junit=tmp_path / "report.xml", isolated=ISOLATED)
    assert report.passed, report.output
    assert not report.not_passed, report.output
