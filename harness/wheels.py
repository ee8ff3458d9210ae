"""Wheels of this repository: build one, and install wheels into an empty environment outside the checkout."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

from harness.programs import MissingPrerequisite

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements/dev.txt"
UNTRACKED = shutil.ignore_patterns(".*", "build", "dist", "node_modules", "__pycache__", "*.egg-info")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
CHECKOUT_VARIABLES = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}


class Environment(NamedTuple):
    """A virtual environment, and an empty working directory beside it."""

    programs: Path
    work: Path

    def run(self, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs a program of the environment in the working directory; returns its exit code and its output as text."""
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.work,
            env=outside() | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def outside() -> dict[str, str]:
    """The environment variables of this process without those that lead to the checkout."""
    return {name: value for name, value in os.environ.items() if name not in CHECKOUT_VARIABLES}


def build(project: Path, directory: Path) -> Path:
    """Builds the wheel of `project`, a directory with a pyproject.toml, into `directory` and returns its path.

    Setuptools of this environment builds a copy: the build needs no registry, and leaves nothing in the checkout that
    the next build would pack.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        copy = shutil.copytree(project, Path(temporary) / "project", ignore=UNTRACKED)
        before = set(directory.glob("*.whl"))
        _run(sys.executable, "-c", BUILD, str(directory.resolve()), cwd=copy)
    [wheel] = set(directory.glob("*.whl")) - before
    return wheel


def metadata(wheel: Path, name: str = "METADATA") -> str:
    """The text of one file of the wheel's dist-info directory."""
    with ZipFile(wheel) as archive:
        [path] = [path for path in archive.namelist() if path.endswith(f".dist-info/{name}")]
        return archive.read(path).decode()


@contextmanager
def installed(*requirements: str) -> Iterator[Environment]:
    """A virtual environment that holds `requirements` (wheel paths, with extras if wanted) and what they need.

    The versions are those of the development lock, so that a new release elsewhere fails no test here. Raises
    MissingPrerequisite without a package registry.
    """
    with tempfile.TemporaryDirectory(prefix="colloquy-wheel-") as temporary:
        directory = Path(temporary)
        directory.chmod(0o711)  # PostgreSQL refuses to be root: its account has to reach the programs in here
        (directory / "work").mkdir()
        (directory / "constraints.txt").write_text("\n".join(_locked()))
        environment = Environment(directory / "venv/bin", directory / "work")
        try:
            _run(uv(), "venv", "--quiet", "--no-python-downloads", "--python", sys.executable, "venv", cwd=directory)
            target = ["--quiet", "--python", "venv/bin/python", "--constraint", "constraints.txt"]
            _run(uv(), "pip", "install", *target, *requirements, cwd=directory)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            reason = getattr(error, "stderr", "")[-500:] or error
            raise MissingPrerequisite(f"{' '.join(requirements)} cannot be installed: {reason}") from error
        yield environment


def uv() -> str:
    """The uv that `scripts/bootstrap` used: of the PATH, or of .tools."""
    return shutil.which("uv") or str(ROOT / ".tools/uv/bin/uv")


def _locked() -> list[str]:
    return re.findall(r"^[\w.\-\[\]]+==[^\\\n]+", LOCK.read_text(), re.MULTILINE)


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd, env=outside())
