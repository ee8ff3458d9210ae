"""`make audit` looks at every lock file, and fails if one package has a published vulnerability."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON_LOCKS = {str(path.relative_to(ROOT)) for path in ROOT.glob("requirements/*.txt")}
NPM_LOCKS = {
    line
    for line in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split()
    if line.endswith("package-lock.json")
}
# Stands for the two tools, which would ask the network: it records its arguments, and finds something in one lock file.
TOOL = """#!/bin/sh
echo "$(basename "$0") in $PWD: $*" >>"$RECORD"
case "$PWD $*" in *"$VULNERABLE"*) exit 1 ;; esac
"""


def audited(tmp_path, vulnerable):
    """The exit code of an audit, and the calls that it made."""
    for name in ("pipx", "npm"):
        (tmp_path / name).write_text(TOOL)
        (tmp_path / name).chmod(0o755)
    record = tmp_path / "record"
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORD": str(record), "VULNERABLE": vulnerable}
    run = subprocess.run(
        [ROOT / "scripts/audit"], env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    return run.returncode, record.read_text().splitlines()


def locks_of(calls):
    python = {call.rpartition(" ")[2] for call in calls if call.startswith("pipx")}
    npm = {
        f"{Path(call.split(': ')[0].removeprefix('npm in ')).relative_to(ROOT)}/package-lock.json"
        for call in calls
        if call.startswith("npm")
    }
    return python, npm


def test_every_lock_file_is_audited(tmp_path):
    code, calls = audited(tmp_path, vulnerable="none of them")
    assert (code, locks_of(calls)) == (0, (PYTHON_LOCKS, NPM_LOCKS))
    assert all("pip-audit" in call for call in calls if call.startswith("pipx"))
    assert all(call.endswith("audit --package-lock-only") for call in calls if call.startswith("npm"))


@pytest.mark.parametrize("vulnerable", ["requirements/dev.txt", "examples/sidebar"])
def test_one_vulnerable_package_fails_the_audit_after_all_others_were_looked_at(tmp_path, vulnerable):
    code, calls = audited(tmp_path, vulnerable)
    assert (code, locks_of(calls)) == (1, (PYTHON_LOCKS, NPM_LOCKS))


def test_the_public_workflow_runs_the_audit():
    assert "run: make audit" in (ROOT / ".github/workflows/audit.yaml").read_text()
    assert "\naudit:" in (ROOT / "Makefile").read_text()
