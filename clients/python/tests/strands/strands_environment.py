"""An environment with strands-agents and the client, apart from ours: some of its requirements exclude our versions."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

from harness.programs import MissingPrerequisite
from harness.wheels import ROOT

HERE = Path(__file__).resolve().parent
LOCK, SDIST = ROOT / "requirements/strands.txt", HERE / "sdist.txt"
PIP = ["-m", "pip", "--quiet", "--disable-pip-version-check"]


class StrandsEnvironment(NamedTuple):
    """The Python of the environment, and the unpacked source distribution of strands-agents."""

    python: Path
    sources: Path


def strands_environment() -> StrandsEnvironment:
    """The environment of these lock files, built on first use. Without a registry the test is skipped, in CI it fails."""
    digest = hashlib.sha256(LOCK.read_bytes() + SDIST.read_bytes() + sys.version.encode()).hexdigest()[:12]
    directory = ROOT / f".tools/strands-{digest}"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "stamp").exists():
            _build(directory)
    [sources] = directory.glob("strands_agents-*/")
    return StrandsEnvironment(directory / "venv/bin/python", sources)


def _build(directory: Path) -> None:
    shutil.rmtree(directory / "venv", ignore_errors=True)
    python = directory / "venv/bin/python"
    try:
        _run(sys.executable, "-m", "venv", str(directory / "venv"))
        _run(python, *PIP, "install", "--require-hashes", "-r", str(LOCK))
        only = ["--no-deps", "--no-binary", "strands-agents", "--require-hashes"]
        _run(python, *PIP, "download", *only, "-d", str(directory), "-r", str(SDIST))
    except subprocess.CalledProcessError as error:
        raise MissingPrerequisite(f"strands-agents cannot be installed: {error.stderr[-500:]}") from error
    [archive] = directory.glob("strands_agents-*.tar.gz")
    with tarfile.open(archive) as sources:
        sources.extractall(directory, filter="data")
    (directory / "stamp").touch()


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
