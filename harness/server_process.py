"""`colloquy serve` as operators start it: the installed program, with its start-up time."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2

from harness.ports import free_port
from harness.process import Process
from harness.running_server import RunningServer
from harness.server_settings import environment_for

COLLOQUY = Path(sys.executable).with_name("colloquy")


class ServerProcess(Process, RunningServer):
    """A server on a port that it keeps when it is started again."""

    def __init__(
        self,
        name: str,
        database_url: str,
        directory: Path,
        http: httpx2.AsyncClient,
        command: str = "serve",
        **settings: str,
    ) -> None:
        self.port = free_port()
        RunningServer.__init__(self, f"http://127.0.0.1:{self.port}", http)
        environment = environment_for(database_url, PORT=str(self.port), **settings)
        Process.__init__(self, name, [str(COLLOQUY), command], directory, environment=environment)

    def fork_servers(self) -> set[int]:
        """The processes that fork workers: one, and none for a moment after it was killed."""
        return {child for child in _children(self.pid) if "multiprocessing.forkserver" in _command_line(child)}

    def workers(self) -> set[int]:
        """The processes that serve, if there are several."""
        return {worker for fork_server in self.fork_servers() for worker in _children(fork_server)}


def _children(pid: int) -> set[int]:
    return {int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()}


def _command_line(pid: int) -> str:
    return _read(f"/proc/{pid}/cmdline")


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # the process has ended
        return ""


def check(database_url: str, directory: Path) -> list[str]:
    """The rules that `colloquy check` finds broken, a line each; none if all hold."""
    result = subprocess.run(
        [str(COLLOQUY), "check"],
        env=os.environ | environment_for(database_url),
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.stdout.splitlines() if result.returncode else []
