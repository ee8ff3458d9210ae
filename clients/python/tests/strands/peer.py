"""strands-agents in an environment of its own, because it wants other versions than we do, and its own tests."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
LOCK, SDIST = ROOT / "requirements/strands.txt", HERE / "sdist.txt"
PIP = ["-m", "pip", "--quiet", "--disable-pip-version-check"]


class Peer(NamedTuple):
    """Its Python, and where its sources lie."""

    python: Path
    sources: Path


def fetched() -> Peer:
    """The environment, built once for each lock file. Without a registry the test is skipped, in CI it fails."""
    digest = hashlib.sha256(LOCK.read_bytes() + SDIST.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = ROOT / f".tools/strands-{digest}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "stamp").exists():
            _build(place)
    [sources] = place.glob("strands_agents-*/")
    return Peer(place / "venv/bin/python", sources)


def _build(place: Path) -> None:
    shutil.rmtree(place / "venv", ignore_errors=True)
    python = place / "venv/bin/python"
    try:
        _run(sys.executable, "-m", "venv", str(place / "venv"))
        _run(python, *PIP, "install", "--require-hashes", "-r", str(LOCK))
        only = ["--no-deps", "--no-binary", "strands-agents", "--require-hashes"]
        _run(python, *PIP, "download", *only, "-d", str(place), "-r", str(SDIST))
    except subprocess.CalledProcessError as error:
        said = f"strands-agents cannot be fetched: {error.stderr[-500:]}"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    [archive] = place.glob("strands_agents-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(place, filter="data")
    (place / "stamp").touch()


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
