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
        self, name: str, database_url: str, directory: Path, http: httpx2.AsyncClient, **settings: str
    ) -> None:
        self.port = free_port()
        RunningServer.__init__(self, f"http://127.0.0.1:{self.port}", http)
        environment = environment_for(database_url, PORT=str(self.port), **settings)
        Process.__init__(self, name, [str(COLLOQUY), "serve"], directory, environment=environment)

    def workers(self) -> set[int]:
        """The processes that serve, if there are several: the supervisor's children."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {int(child) for child in children if _is_worker(child)}


def _is_worker(pid: str) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended
        return False


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
