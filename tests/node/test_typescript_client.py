"""The TypeScript clients: their own tests, which Vitest runs against a server of its own (`make test-clients`)."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ag_ui_validate import RULES, create_validator

from harness.programs import MissingPrerequisite, program

ROOT = Path(__file__).parents[2]
WORKSPACE = ROOT / "clients" / "typescript"
pytestmark = [pytest.mark.xdist_group("node"), pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def ag_ui_streams(tmp_path_factory) -> Path:
    """The file in which Vitest leaves the events of AG-UI that its tests made, a line for each stream."""
    return tmp_path_factory.mktemp("ag-ui") / "streams.jsonl"


@pytest.fixture(scope="module")
def results(tmp_path_factory, ag_ui_streams) -> dict[str, dict]:
    """By file: the results of its tests, as Vitest reports them."""
    npm = program("npm")
    installed = subprocess.run([ROOT / "scripts/install_typescript"], capture_output=True, text=True)
    if installed.returncode:
        raise MissingPrerequisite(installed.stderr.strip()[-500:])
    report = tmp_path_factory.mktemp("vitest") / "report.json"
    vitest = [npm, "run", "--silent", "test", "--", "--reporter=json", f"--outputFile={report}"]
    environment = os.environ | {"AG_UI_STREAMS": str(ag_ui_streams)}
    run = subprocess.run(vitest, cwd=WORKSPACE, env=environment, capture_output=True, text=True, timeout=900)
    assert report.exists(), run.stderr
    files = json.loads(report.read_text())["testResults"]
    return {str(Path(file["name"]).relative_to(WORKSPACE)): file for file in files}


@pytest.fixture(scope="module")
def failures(results) -> dict[str, list[str]]:
    """By file: the tests that did not pass. A file that passed has an empty list."""
    found = {}
    for name, file in results.items():
        found[name] = [file["message"]] if file["status"] != "passed" and not file["assertionResults"] else []
        for test in file["assertionResults"]:
            if test["status"] != "passed":
                found[name].append(f"{test['fullName']}: {test['failureMessages']}")
    return found


def test_types_are_strict():
    program("npm")
    if subprocess.run([ROOT / "scripts/install_typescript"], capture_output=True).returncode:
        raise MissingPrerequisite("the packages of clients/typescript cannot be installed: NOT tested")
    run = subprocess.run(
        [WORKSPACE / "node_modules/.bin/tsc", "--noEmit"], cwd=WORKSPACE, capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (0, "")


def test_reads_writes_and_errors_are_those_of_the_server(failures):
    assert failures["client/tests/client.test.ts"] == []


def test_events_resume_after_a_cut_at_every_change(failures):
    assert failures["client/tests/events.test.ts"] == []
    assert failures["client/tests/network.test.ts"] == []


def test_answers_are_written_stopped_and_taken_over(failures):
    assert failures["client/tests/answer.test.ts"] == []


def test_the_blocks_of_parts_are_those_that_the_server_makes_at_the_end(failures):
    assert failures["client/tests/content.test.ts"] == []


def test_the_outbox_sends_once_and_in_order_across_reloads(failures):
    assert failures["client/tests/outbox.test.ts"] == []


def test_the_stores_never_flicker_and_show_nothing_twice(failures):
    assert failures["client/tests/stores.test.ts"] == []


def test_the_hooks_show_a_conversation_with_react_18_and_19(failures):
    assert failures["react/tests/package.test.ts"] == []


def test_streams_of_ai_sdk_are_completed_after_a_cut_at_every_chunk(failures):
    assert failures["ai-sdk/tests/chunks.test.ts"] == []


def test_answers_of_any_producer_reach_chats_of_ai_sdk(failures):
    assert failures["ai-sdk/tests/transport.test.ts"] == []


def test_streams_of_ai_sdk_are_persisted_stopped_and_failed(failures):
    assert failures["ai-sdk/tests/persist.test.ts"] == []


def test_windows_of_ai_sdk_read_and_stop_answers_of_a_server_in_python(failures):
    assert failures["ai-sdk/tests/python.test.ts"] == []


def test_windows_of_ai_sdk_are_equal(failures):
    assert failures["ai-sdk/tests/follow-chat.test.ts"] == []
    assert failures["ai-sdk/tests/crash.test.ts"] == []


def test_the_package_for_ai_sdk_installs_and_runs_with_versions_5_to_7(failures):
    assert failures["ai-sdk/tests/package.test.ts"] == []


def test_vue_and_svelte_show_a_conversation_with_the_lines_of_the_readme(failures):
    assert failures["client/tests/frameworks/frameworks.test.ts"] == []


def test_the_threads_of_assistant_ui_are_sessions_with_their_history(failures):
    assert failures["assistant-ui/tests/thread-list.test.ts"] == []
    assert failures["assistant-ui/tests/history.test.ts"] == []


def test_a_call_in_assistant_ui_shows_its_approval_while_its_answer_is_written(failures):
    assert failures["assistant-ui/tests/messages.test.ts"] == []


def test_assistant_ui_shows_threads_answers_and_approvals_in_an_empty_project(failures):
    assert failures["assistant-ui/tests/package.test.ts"] == []


def test_a_session_is_replayed_as_events_of_ag_ui(failures):
    assert failures["ag-ui/tests/replay.test.ts"] == []


def test_an_answer_is_followed_as_events_of_ag_ui_across_cuts(failures):
    assert failures["ag-ui/tests/follow.test.ts"] == []


def test_the_events_of_ag_ui_follow_all_rules_of_its_validator(failures, ag_ui_streams):
    assert len(RULES) == 46
    streams = [json.loads(line) for line in ag_ui_streams.read_text().splitlines()]
    assert len(streams) > 25
    assert [found for stream in streams for found in findings(stream)] == []


def findings(events: list[dict[str, Any]]) -> list[str]:
    """What the validator finds, without hints."""
    validator = create_validator()
    for event in events:
        validator.feed(event)
    validator.finalize()
    return [f"{each.rule}: {each.message}" for each in validator.report().diagnostics if each.severity != "info"]


def test_the_runner_for_copilotkit_stores_follows_and_stops_runs(failures):
    assert failures["ag-ui/tests/copilotkit.test.ts"] == []


def test_the_package_for_ag_ui_installs_and_runs(failures):
    assert failures["ag-ui/tests/package.test.ts"] == []


def test_records_come_back_as_they_went_in(failures):
    assert failures["client/tests/records.test.ts"] == []


def test_726_cases_of_langgraph_checkpoint_validation_pass(failures, results):
    """718 of `validate`, of which one skips MemorySaver, and the 8 of `deltaChannelHistoryTests`."""
    assert failures["langgraph/tests/validation.test.ts"] == []
    assert len(results["langgraph/tests/validation.test.ts"]["assertionResults"]) == 726


def test_graphs_of_langgraph_are_continued_and_mirrored(failures):
    for name in ("saver", "mirror", "store"):
        assert failures[f"langgraph/tests/{name}.test.ts"] == []


def test_the_package_for_langgraph_installs_and_runs(failures):
    assert failures["langgraph/tests/package.test.ts"] == []


def test_the_package_installs_runs_and_stays_within_its_size(failures):
    assert failures["client/tests/package.test.ts"] == []
