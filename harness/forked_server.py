"""`colloquy` commands in processes that are forked from one which has everything imported: they start at once."""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import httpx2

from app.cli import main
from harness.ports import free_port
from harness.running_server import RunningServer
from harness.server_settings import environment_for

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["app.cli", "pytest"])  # a child imports the main module of its parent, which is pytest


def run_command(command: str, environment: dict[str, str]) -> None:
    """Runs `colloquy COMMAND` in the process that was forked for it."""
    os.environ |= environment
    sys.argv = ["colloquy", command]
    main()


def exit_code_of(command: str, database_url: str) -> int | None:
    """Runs `colloquy COMMAND` on a database to its end."""
    process = FORKS.Process(target=run_command, args=(command, environment_for(database_url)))
    process.start()
    process.join()
    return process.exitcode


class ForkedServer(RunningServer):
    """`colloquy serve`, on the same port after every start."""

    def __init__(self, http: httpx2.AsyncClient, database_url: str, settings: dict[str, str]) -> None:
        port = free_port()
        super().__init__(f"http://127.0.0.1:{port}", http)
        self._environment = environment_for(database_url, PORT=str(port), **settings)
        self.start()

    @classmethod
    @asynccontextmanager
    async def running(cls, database_url: str, **settings: str) -> AsyncIterator[Self]:
        """A ready server with these environment variables; killed at the end if it still runs."""
        async with httpx2.AsyncClient(timeout=30) as http:
            server = cls(http, database_url, settings)
            try:
                await server.ready()
                yield server
            finally:
                server.kill()

    @property
    def exit_code(self) -> int | None:
        """None while the server runs."""
        return self._process.exitcode

    def start(self) -> None:
        """Starts the server; `ready` waits for it."""
        self._process = FORKS.Process(target=run_command, args=("serve", self._environment))
        self._process.start()

    def kill(self) -> None:
        """SIGKILL; returns when the process has ended."""
        self._process.kill()
        self._process.join()

    def terminate(self) -> None:
        """SIGTERM; `wait` returns when the server has stopped."""
        self._process.terminate()

    async def wait(self, seconds: float) -> int | None:
        """The exit code, or None if the server still runs after so many seconds."""
        await asyncio.to_thread(self._process.join, seconds)
        return self._process.exitcode
