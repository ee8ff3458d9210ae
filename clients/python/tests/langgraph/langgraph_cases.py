"""The tests of langgraph that run on a checkpointer or a store, unmodified: `make test-frameworks`."""

import shutil
from pathlib import Path

import pytest

from clients.python.tests.peer_environment import peer_environment
from clients.python.tests.peer_suite import run_pytest

pytestmark = pytest.mark.timeout(1800)

HERE = Path(__file__).resolve().parent
MEASURES_TIME = "tests/test_pregel_async.py::test_stream_buffering_single_node[memory]"  # in tenths of a second

NEEDS_ANOTHER_SERVER = "tests/test_remote_graph.py"  # it skips itself


async def test_649_cases_of_langgraph_pass(server, tmp_path):
    environment = peer_environment("langgraph", HERE / "sdists.txt")
    shutil.copytree(environment.sources("langgraph") / "tests", tmp_path / "tests")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    left_out = (f"--deselect={MEASURES_TIME}", f"--ignore={NEEDS_ANOTHER_SERVER}")
    selection = ("tests", "-p", "colloquy_fixtures", "-n", "2", *left_out)
    report = await run_pytest(
        environment,
        server,
        tmp_path,
        *selection,
        junit=tmp_path / "report.xml",
        isolated=HERE / "isolated",
        variables={"NO_DOCKER": "true"},
    )
    assert not report.not_passed, report.output
    assert len(report.passed) == 649, report.output
