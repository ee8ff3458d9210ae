"""The stores for Strands: the suites of strands-agents, unmodified, and our own tests, in its environment."""

import shutil
from pathlib import Path

import pytest

from clients.python.tests.peer_environment import PeerEnvironment, peer_environment
from clients.python.tests.peer_suite import run_pytest

HERE = Path(__file__).resolve().parent
ISOLATED = HERE / "isolated"
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
STORAGE_TESTS = "tests/strands/storage/test_storage.py"
MEMORY_TESTS = "tests/strands/storage/test_in_memory_storage.py"
SNAPSHOT_TESTS = "tests/strands/session/test_snapshot_session_manager.py"
IN_MEMORY = "it asserts that a storage in memory is lost with the process"
STORAGE_EXCLUDED = {
    "test_save_includes_inline_stash_for_ephemeral_storage": IN_MEMORY,
    "test_save_omits_stash_when_empty": IN_MEMORY,
    "test_immutable_snapshot_includes_stash": IN_MEMORY,
    "test_ephemeral_detection_survives_namespacing": IN_MEMORY,
}


@pytest.fixture(scope="module")
def environment() -> PeerEnvironment:
    return peer_environment("strands", HERE / "sdist.txt")


async def test_72_tests_of_strands_agents_pass_against_a_real_server(environment, server, tmp_path):
    packages = ("tests/__init__.py", "tests/strands/__init__.py", "tests/strands/session/__init__.py")
    sources = environment.sources("strands-agents")
    for name in (*packages, SESSION_MANAGER_TESTS, FILE_TESTS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sources / name, tmp_path / name)
    shutil.copytree(HERE / "overrides", tmp_path, dirs_exist_ok=True)
    deselected = [f"--deselect={FILE_TESTS}::{name}" for name in EXCLUDED]
    selection = (SESSION_MANAGER_TESTS, FILE_TESTS, *deselected)
    report = await run_pytest(
        environment, server, tmp_path, *selection, junit=tmp_path / "report.xml", isolated=ISOLATED
    )
    assert not report.not_passed, report.output
    module = SESSION_MANAGER_TESTS.removesuffix(".py").replace("/", ".")
    of_session_manager = [name for name in report.passed if name.startswith(module)]
    assert (len(of_session_manager), len(report.passed)) == (51, 72), report.output


async def test_168_storage_tests_of_strands_agents_pass_against_a_real_server(environment, server, tmp_path):
    shutil.copytree(environment.sources("strands-agents") / "tests", tmp_path / "tests")
    (tmp_path / "tests/conftest.py").write_text("")  # most of its fixtures imitate AWS; the plugin has the other
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    deselected = [f"--deselect={SNAPSHOT_TESTS}::TestSnapshotStashIntegration::{name}" for name in STORAGE_EXCLUDED]
    selection = (STORAGE_TESTS, MEMORY_TESTS, SNAPSHOT_TESTS, "-p", "strands_in_colloquy", *deselected)
    report = await run_pytest(
        environment, server, tmp_path, *selection, junit=tmp_path / "report.xml", isolated=ISOLATED
    )
    assert not report.not_passed, report.output
    counts = [sum(f".{Path(file).stem}" in name for name in report.passed) for file in selection[:3]]
    assert counts == [32, 23, 113], report.output


@pytest.mark.parametrize("file", sorted(path.name for path in ISOLATED.glob("test_*.py")))
async def test_our_own_tests_pass_in_the_environment_of_strands(environment, server, tmp_path, file):
    report = await run_pytest(environment, server, ISOLATED, file, junit=tmp_path / "report.xml", isolated=ISOLATED)
    assert report.passed, report.output
    assert not report.not_passed, report.output
