"""The stores for LangGraph: the peer's own tests, unmodified, and ours, in an environment of their own."""

import shutil
from pathlib import Path

import pytest

from clients.python.tests.peer_environment import PeerEnvironment, peer_environment
from clients.python.tests.peer_suite import run_pytest

pytestmark = [pytest.mark.xdist_group("langgraph"), pytest.mark.timeout(900)]

HERE = Path(__file__).resolve().parent
ISOLATED = HERE / "isolated"
STORE_TESTS = "tests/test_store.py"
NEEDS_EMBEDDINGS = ("vector", "embed_with_path", "non_ascii")  # the store has no embeddings


@pytest.fixture(scope="module")
def environment() -> PeerEnvironment:
    return peer_environment("langgraph", HERE / "sdists.txt")


async def test_104_store_tests_of_langgraph_checkpoint_pass(environment, server, tmp_path):
    sources = environment.sources("langgraph-checkpoint")
    (tmp_path / "tests").mkdir()
    for name in ("tests/__init__.py", "tests/embed_test_utils.py", STORE_TESTS):
        shutil.copy(sources / name, tmp_path / name)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")  # as its pyproject.toml says
    selection = (
        STORE_TESTS,
        "-p",
        "colloquy_in_memory",
        "-k",
        " and ".join(f"not {name}" for name in NEEDS_EMBEDDINGS),
    )
    report = await run_pytest(
        environment, server, tmp_path, *selection, junit=tmp_path / "report.xml", isolated=ISOLATED
    )
    assert not report.not_passed, report.output
    assert len(report.passed) == 104, report.output


@pytest.mark.parametrize("file", sorted(path.name for path in ISOLATED.glob("test_*.py")))
async def test_our_own_tests_pass_in_the_environment_of_langgraph(environment, server, tmp_path, file):
    report = await run_pytest(environment, server, ISOLATED, file, junit=tmp_path / "report.xml", isolated=ISOLATED)
    assert report.passed, report.output
    assert not report.not_passed, report.output
