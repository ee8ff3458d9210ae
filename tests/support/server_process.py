"""The server as a process of its own, which can be killed."""

import asyncio
import multiprocessing
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from app.auth import mint
from app.cli import main
from app.settings import Settings
from tests.support.in_process_server import SECRET
from tests.support.users import User

HERE = Path(__file__).resolve().parents[2]
# Processes that are forked from one which has everything imported: they start in a fifth of a second.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["app.cli", "pytest"])


def environment(database_url: str, **settings: str) -> dict[str, str]:
    """Of a command of ours on this database."""
    return {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "LOG_LEVEL": "ERROR", "LOG_FORMAT": "json"} | settings


def colloquy(command: str, environment: dict[str, str]) -> None:
    """The command line, in a process that has just been forked."""
    os.environ |= environment
    sys.argv = ["colloquy", command]
    main()


def run(command: str, database_url: str) -> int | None:
    """A command's exit code."""
    process = FORKS.Process(target=colloquy, args=(command, environment(database_url)))
    process.start()
    process.join()
    return process.exitcode


class Process:
    """`colloquy serve` on a port that stays the same when it is started again."""

    def __init__(self, database_url: str, http: httpx2.AsyncClient, **settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.url, self.http = f"http://127.0.0.1:{self.port}", http
        self._environment = environment(database_url, PORT=str(self.port), **settings)
        self.start()

    def start(self) -> None:
        self.process = FORKS.Process(target=colloquy, args=("serve", self._environment))
        self.process.start()

    async def ready(self) -> None:
        """Returns once it does its work; raises if it has ended instead."""
        while True:
            assert self.process.is_alive(), f"the server ended with {self.process.exitcode}"
            try:
                if (await self.http.get(f"{self.url}/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.join()

    def user(self, name: str) -> User:
        """Somebody with a token of their own."""
        token = mint(Settings(jwt_secret=SECRET), sub=name, ttl_seconds=3600)
        return User(name, self.url, token, self.http)


@asynccontextmanager
async def process(database_url: str, **settings: str) -> AsyncIterator[Process]:
    """A ready server; killed at the end if it still runs."""
    async with httpx2.AsyncClient(timeout=30) as http:
        running = Process(database_url, http, **settings)
        try:
            await running.ready()
            yield running
        finally:
            running.kill()
