"""One data directory, and the PostgreSQL server on it: created, started, stopped."""

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from app.db.operations.binaries import Binaries, EmbeddedError, account, check_account

# A socket's path has at most 103 bytes on macOS, 107 on Linux; PostgreSQL appends `/.s.PGSQL.5432`.
SOCKET_DIRECTORY_LENGTH = 80
NO_PROCESS = 2**31 - 1
START_TIMEOUT_SECONDS = 60
MAX_REFUSALS = 10
SETTINGS = {
    "listen_addresses": "",
    "timezone": "UTC",
    "max_connections": "200",
    "idle_in_transaction_session_timeout": "60s",
    "log_checkpoints": "off",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Cluster:
    """A data directory below `directory`. Start and stop one cluster from one process at a time (`start.lock`)."""

    def __init__(self, directory: Path, durable: bool) -> None:
        self._directory, self._durable = directory, durable
        self._data, self._log = directory / "data", directory / "data" / "server.log"
        self._binaries = Binaries(directory)

    def start(self) -> Path:
        """Starts the server if it does not run; returns the directory of its socket.

        Raises EmbeddedError, with the last lines of the log.
        """
        if not self._data.exists():
            self._create()
        refusals, deadline = 0, time.monotonic() + START_TIMEOUT_SECONDS
        while not (sockets := self._accepting()):
            if not self._runs():
                refusals += self._launch()
            # After `kill -9` of the postmaster, its last children keep the shared memory for a moment.
            if refusals == MAX_REFUSALS or time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL does not start in {self._data}:\n{self._log_tail()}")
            time.sleep(0.1)
        return sockets

    def stop(self) -> None:
        """Stops the server if it runs."""
        # The identity is checked again: `pg_ctl stop` signals whichever process has the pid in the file.
        if self._runs():
            sockets = Path(self._status()[4])
            self._binaries.run("pg_ctl", "-D", self._data, "-w", "-m", "fast", "stop")
            if sockets.parent != self._directory:
                shutil.rmtree(sockets, ignore_errors=True)

    def _create(self) -> None:
        """Creates the data directory under another name first: a killed `initdb` leaves one that looks complete."""
        check_account()
        self._remove_unfinished()
        new = self._private(Path(tempfile.mkdtemp(prefix="new-", dir=self._directory)))
        locale = ["--locale=C.UTF-8", *(["--locale-provider=builtin"] if self._binaries.major >= 17 else [])]
        sync = [] if self._durable else ["--no-sync"]
        made = self._binaries.run("initdb", "-D", new, "-U", "app", "--auth=trust", "--encoding=UTF8", *locale, *sync)
        if made.returncode:
            raise EmbeddedError(f"initdb fails in {new}:\n{made.stderr.strip()}")
        new.rename(self._data)
        self._remove_unfinished()  # again: an `initdb` whose program was killed may have been writing until now

    def _remove_unfinished(self) -> None:
        for new in self._directory.glob("new-*"):
            shutil.rmtree(new, ignore_errors=True)

    def _launch(self) -> bool:
        """Launches the server; True if it refused to start."""
        sockets = self._sockets()
        self._clear_stale_pid(sockets)
        settings = SETTINGS | {"unix_socket_directories": str(sockets)}
        if not self._durable:
            settings |= NOT_DURABLE
        options = shlex.join(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        seconds = str(START_TIMEOUT_SECONDS)
        started = self._binaries.run(
            *("pg_ctl", "-D", self._data, "-w", "-t", seconds, "-l", self._log, "-o", options, "start")
        )
        return started.returncode != 0

    def _sockets(self) -> Path:
        sockets = self._directory / "s"
        if len(os.fsencode(sockets)) > SOCKET_DIRECTORY_LENGTH:
            return self._private(Path(tempfile.mkdtemp(prefix="colloquy-", dir="/tmp")))
        return self._private(sockets)

    def _private(self, directory: Path) -> Path:
        directory.mkdir(mode=0o700, exist_ok=True)
        if owner := account():
            os.chown(directory, owner["user"], owner["group"])
        return directory

    def _status(self) -> list[str]:
        """The lines of postmaster.pid: pid, data, start, port, socket directory, address, memory, state."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _accepting(self) -> Path | None:
        """The directory of the socket, if the server accepts connections on it."""
        status = self._status()
        if len(status) < 8 or status[7].strip() != "ready":
            return None
        with socket.socket(socket.AF_UNIX) as probe:
            connected = probe.connect_ex(f"{status[4]}/.s.PGSQL.{status[3]}") == 0
        return Path(status[4]) if connected else None

    def _runs(self) -> bool:
        """True if the pid in postmaster.pid is our postmaster's: the pid of a stale file may be another process's."""
        status = self._status()
        command = _command(status[0]) if status else ""
        return "bin/postgres" in command and str(self._data) in command

    def _clear_stale_pid(self, sockets: Path) -> None:
        """Removes the old server's pid: PostgreSQL does not start while any process has it.

        A stale postmaster.pid gets the pid of no process, since PostgreSQL still checks the shared memory in it. The
        lock files of the sockets contain nothing else that is checked, and are removed.
        """
        for lock in sockets.glob(".s.PGSQL.*.lock"):
            lock.unlink()
        stale = self._data / "postmaster.pid"
        if status := self._status():
            stale.write_text("\n".join([str(NO_PROCESS), *status[1:], ""]))
        else:
            stale.unlink(missing_ok=True)

    def _log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else ["(no server.log)"]
        return "\n".join(lines[-20:])


def _command(pid: str) -> str:
    """The command line of a process; empty for one that has ended, also if its parent has not read its status yet."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    line = ["ps", "-o", "command=", "-p", pid]
    return subprocess.run(line, check=False, capture_output=True, text=True).stdout
