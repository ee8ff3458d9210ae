"""graphql-core's own execution tests: fetched from its source distribution, run unmodified on our executor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "upstream"
NOT_OURS = ("test_hooks.py", "test_middleware.py", "test_customize.py", "test_executor_throwing_on_incremental.py")
"""Hooks, middleware and executor classes, besides the folder `incremental`: parts that compiled code does not have."""


class Unreachable(Exception):
    """The package index could not be asked."""


def fetch() -> Path:
    """The folder with the sources, downloaded once; whatever comes must have the pinned hashes."""
    sources = CACHE / "graphql_core-3.3.2"
    if not sources.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        download(CACHE)
        with tarfile.open(CACHE / "graphql_core-3.3.2.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return sources


def download(folder: Path) -> None:
    venv.create(folder / "pip", with_pip=True)
    pip = [folder / "pip" / "bin" / "python", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pins = ["--no-deps", "--require-hashes", "--no-binary", "graphql-core", "--requirement", HERE / "upstream.txt"]
    done = subprocess.run([*pip, *pins, "--dest", folder], capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        raise Unreachable(done.stderr[-500:])


@dataclass(frozen=True)
class Report:
    """How each test ran: `{"ways": {"compiled": 1}, "failure": null}` by its name."""

    tests: dict[str, dict[str, object]]
    output: str

    @cached_property
    def failed(self) -> set[str]:
        return {name for name, test in self.tests.items() if test["failure"]}

    def reasons(self, name: str) -> set[str]:
        ways = self.tests[name]["ways"]
        assert isinstance(ways, dict)
        return set(ways)


def run(sources: Path, *files: str, broken: str = "") -> Report:
    """Run test files of `tests/execution`, all that apply by default, in a pytest of their own."""
    where = sources / "tests" / "execution"
    chosen = files or sorted(path.name for path in where.glob("test_*.py") if path.name not in NOT_OURS)
    report = CACHE / f"report{'-' + broken if broken else ''}-{os.getpid()}.json"
    plugins = [ROOT, HERE, CACHE / "pytest_describe-3.2.0-py3-none-any.whl"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, plugins)),
        "UPSTREAM_REPORT": str(report),
        "BROKEN_EXECUTOR": broken,
    }
    for name in [name for name in environment if name.startswith(("PYTEST_", "COV_"))]:
        del environment[name]
    options = ["-p", "upstream_plugin", "-p", "no:cacheprovider", "-o", "addopts=", "-q", "--tb=line"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(str(where / name) for name in chosen)],
        cwd=sources,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if not report.exists():
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    tests = json.loads(report.read_text())
    report.unlink()
    return Report(tests, done.stdout)


def exceptions() -> dict[str, str]:
    """What `upstream_exceptions.txt` lists: the reason, by a test's file or by file and name."""
    found, reason = {}, ""
    for line in (HERE / "upstream_exceptions.txt").read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            found[line.strip()] = reason
        else:
            reason = line.strip()
    return found


def short(name: str) -> str:
    """`test_lists.py::describe…::name[param]` as it is listed: `test_lists.py::name`."""
    path, *_, last = name.split("::")
    return f"{path.rsplit('/', 1)[-1]}::{last.split('[')[0]}"


def summary(report: Report, listed: dict[str, str]) -> Counter[str]:
    """How many ran compiled, fell back, reach no executor, or do not apply."""
    counts: Counter[str] = Counter()
    for name in report.tests:
        ways = report.reasons(name)
        if short(name) in listed or short(name).split("::")[0] in listed:
            counts["listed"] += 1
        elif not ways:
            counts["no executor"] += 1
        else:
            counts["compiled" if ways <= {"compiled", "refused variables"} else "graphql-core"] += 1
    return counts
