"""An environment with a framework and its tests, apart from ours: its requirements may exclude our versions."""

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

PIP = ["-m", "pip", "--quiet", "--disable-pip-version-check"]


class PeerEnvironment(NamedTuple):
    """The Python of the environment, and the directory with the unpacked source distributions."""

    python: Path
    directory: Path

    def sources(self, package: str) -> Path:
        """The unpacked source distribution of a package."""
        [directory] = self.directory.glob(f"{package.replace('-', '_')}-*/")
        return directory


def peer_environment(name: str, sdists: Path | None = None) -> PeerEnvironment:
    """The environment of `requirements/NAME.txt`, with the source distributions that `sdists` pins, if any.

    It is built on first use. Without a registry the test is skipped, in CI it fails.
    """
    locked = ROOT / f"requirements/{name}.txt"
    pinned = sdists.read_bytes() if sdists else b""
    digest = hashlib.sha256(locked.read_bytes() + pinned + sys.version.encode()).hexdigest()[:12]
    directory = ROOT / f".tools/{name}-{digest}"
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "stamp").exists():
            _build(name, directory, locked, sdists)
    return PeerEnvironment(directory / "venv/bin/python", directory)


def _build(name: str, directory: Path, locked: Path, sdists: Path | None) -> None:
    shutil.rmtree(directory / "venv", ignore_errors=True)
    python = directory / "venv/bin/python"
    try:
        _run(sys.executable, "-m", "venv", str(directory / "venv"))
        _run(python, *PIP, "install", "--require-hashes", "-r", str(locked))
        if sdists:
            packages = ",".join(line.split("==")[0] for line in sdists.read_text().splitlines() if "==" in line)
            only = ["--no-deps", "--no-binary", packages, "--require-hashes"]
            _run(python, *PIP, "download", *only, "-d", str(directory), "-r", str(sdists))
    except subprocess.CalledProcessError as error:
        raise MissingPrerequisite(f"The packages of {name} cannot be installed: {error.stderr[-500:]}") from error
    for archive in directory.glob("*.tar.gz"):
        with tarfile.open(archive) as sources:
            sources.extractall(directory, filter="data")
    (directory / "stamp").touch()


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
