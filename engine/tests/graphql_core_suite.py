"""graphql-core's own execution tests: downloaded with its source distribution, run unmodified on compiled code."""

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
CACHE = ROOT / ".cache" / "graphql-core"
NOT_SUPPORTED = (
    "test_hooks.py",
    "test_middleware.py",
    "test_customize.py",
    "test_executor_throwing_on_incremental.py",
)
"""Hooks, middleware and executor classes, besides the directory `incremental`: compiled code has none of them."""


class RegistryUnavailable(Exception):
    """The sources could not be downloaded."""


def fetch() -> Path:
    """The directory of the sources. Downloads them once, with pinned hashes. Raises RegistryUnavailable."""
    sources = CACHE / "graphql_core-3.3.2"
    if not sources.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        download(CACHE)
        with tarfile.open(CACHE / "graphql_core-3.3.2.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return sources


def download(directory: Path) -> None:
    venv.create(directory / "pip", with_pip=True)
    pip = [directory / "pip" / "bin" / "python", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pins = ["--no-deps", "--require-hashes", "--no-binary", "graphql-core"]
    requirements = ["--requirement", HERE / "graphql_core_suite.txt", "--dest", directory]
    done = subprocess.run([*pip, *pins, *requirements], capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        raise RegistryUnavailable(done.stderr[-500:])


@dataclass(frozen=True)
class Report:
    """How each test ran: `{"outcomes": {"compiled": 1}, "failure": null}` by its name."""

    tests: dict[str, dict[str, object]]
    output: str

    @cached_property
    def failed(self) -> set[str]:
        return {name for name, test in self.tests.items() if test["failure"]}

    def outcomes(self, name: str) -> set[str]:
        outcomes = self.tests[name]["outcomes"]
        assert isinstance(outcomes, dict)
        return set(outcomes)


def run(sources: Path, *files: str, defect: str = "") -> Report:
    """Run test files of `tests/execution`, by default all that apply, in a pytest process of their own."""
    directory = sources / "tests" / "execution"
    chosen = files or sorted(path.name for path in directory.glob("test_*.py") if path.name not in NOT_SUPPORTED)
    report = CACHE / f"report{'-' + defect if defect else ''}-{os.getpid()}.json"
    path = [ROOT, HERE, CACHE / "pytest_describe-3.2.0-py3-none-any.whl"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "SUITE_REPORT": str(report),
        "EXECUTOR_DEFECT": defect,
    }
    for name in [name for name in environment if name.startswith(("PYTEST_", "COV_"))]:
        del environment[name]
    options = ["-p", "graphql_core_plugin", "-p", "no:cacheprovider", "-o", "addopts=", "-q", "--tb=line"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(str(directory / name) for name in chosen)],
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
    """The reasons in `graphql_core_exceptions.txt`, by a test's file or by file and name."""
    found, reason = {}, ""
    for line in (HERE / "graphql_core_exceptions.txt").read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            found[line.strip()] = reason
        else:
            reason = line.strip()
    return found


def short_name(name: str) -> str:
    """`test_lists.py::describe…::name[param]` as `exceptions` has it: `test_lists.py::name`."""
    path, *_, last = name.split("::")
    return f"{path.rsplit('/', 1)[-1]}::{last.split('[')[0]}"


def summary(report: Report, exceptions: dict[str, str]) -> Counter[str]:
    """How many tests ran compiled code, fell back, use no executor, or are exceptions."""
    counts: Counter[str] = Counter()
    for name in report.tests:
        outcomes = report.outcomes(name)
        if short_name(name) in exceptions or short_name(name).split("::")[0] in exceptions:
            counts["exception"] += 1
        elif not outcomes:
            counts["no executor"] += 1
        else:
            counts["compiled" if outcomes <= {"compiled", "request error"} else "graphql-core"] += 1
    return counts
