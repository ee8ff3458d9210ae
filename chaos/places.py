"""What gets broken: servers, PostgreSQL and Redis, each a process of its own that can come back."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom

import asyncpg
import httpx2

from app.auth import mint
from app.db.operations.embedded import embedded_postgres
from app.settings import Settings
from bench import usage
from harness.postgres import dsn, own_server, postmaster

SECRET = "a secret of the experiments, thirty-two bytes and more"
COLLOQUY = Path(sys.executable).with_name("colloquy")
PATIENCE_SECONDS = 30
BELOW_EPHEMERAL = range(20_000, 32_768)
SHUTDOWN_SECONDS = 5
OTHERS = "datname = $1 and backend_type = 'client backend' and pid <> pg_backend_pid()"
# The connection that listens also notifies: one of the two is the last that it was asked.
LISTENING = "(query ilike 'listen %' or query ilike '%pg_notify%')"


def token(owner: str) -> str:
    """An hour's token of this owner."""
    return mint(Settings(jwt_secret=SECRET), sub=owner, ttl_seconds=3600)


def free_port() -> int:
    """One that no outgoing connection can have taken while a killed server is away."""
    for port in SystemRandom().sample(BELOW_EPHEMERAL, len(BELOW_EPHEMERAL)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("there is no free port")


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A command that can be killed, frozen and started again; its log lies in `place`."""

    def __init__(self, name: str, command: list[str], place: Path, **environment: str) -> None:
        self.name, self._command, self._place = name, command, place
        self._environment = environment
        self.started = 0.0
        self.start()

    def start(self) -> None:
        with (self._place / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env={**os.environ, **self._environment},
                cwd=self._place,  # no `.env` lies there
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.started = time.monotonic()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def stops(self) -> tuple[int, float]:
        """Its exit code after SIGTERM, and how many seconds it took."""
        asked = time.monotonic()
        self.process.terminate()
        code = await asyncio.to_thread(self.process.wait, PATIENCE_SECONDS)
        return code, time.monotonic() - asked

    def rss_mib(self) -> float:
        return usage.rss_mib(self.process.pid)


class Server(Process):
    """`colloquy serve` on a port that stays the same."""

    def __init__(self, name: str, database_url: str, place: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "DATABASE_URL": database_url,
            "JWT_SECRET": SECRET,
            "PORT": str(self.port),
            "LOG_LEVEL": "WARNING",
            "LOG_FORMAT": "json",
            "SHUTDOWN_SECONDS": str(SHUTDOWN_SECONDS),
            **settings,
        }
        super().__init__(name, [str(COLLOQUY), "serve"], place, **environment)

    async def listens(self) -> float:
        """How many seconds after its start it accepts connections."""
        while self.process.poll() is None and not _accepts(self.port):
            await asyncio.sleep(0.02)
        return time.monotonic() - self.started

    async def ready(self, http: httpx2.AsyncClient) -> None:
        """Returns once it does its work; raises if it has ended instead."""
        while self.process.poll() is None:
            try:
                if (await http.get(f"{self.url}/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.05)
        raise RuntimeError(f"{self.name} ended with {self.process.returncode}")


class Redis(Process):
    """A Redis that keeps nothing, on a port that stays the same."""

    def __init__(self, name: str, place: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        quiet = ["--save", "", "--appendonly", "no"]
        super().__init__(name, ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), *quiet], place)

    async def ready(self) -> None:
        """Returns once it accepts connections."""
        while self.process.poll() is None:
            if _accepts(self.port):
                return
            await asyncio.sleep(0.02)
        raise RuntimeError(f"{self.name} ended with {self.process.returncode}")


class Postgres:
    """A durable server of one's own: what it has acknowledged must outlive it."""

    def __init__(self, url: str, root: Path) -> None:
        self.url, self._root = url, root

    def kill(self) -> None:
        """kill -9 of the postmaster."""
        os.kill(postmaster(self._root), signal.SIGKILL)

    async def restart(self) -> None:
        """Returns after recovery; whoever started it first will stop it."""

        def start() -> None:
            with embedded_postgres(self._root):
                pass

        await asyncio.to_thread(start)

    async def cut(self, database: str, which: str = "true") -> int:
        """Ends connections of a database from the server's side; how many there were."""
        connection = await asyncpg.connect(dsn(self.url))  # type: ignore[no-untyped-call]
        try:
            ended = f"select count(pg_terminate_backend(pid)) from pg_stat_activity where {OTHERS} and {which}"
            found: int = await connection.fetchval(ended, database)
        finally:
            await connection.close()
        return found


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Stopped at the end, its data gone."""
    with own_server() as (url, root):
        yield Postgres(url, root)


async def check(database_url: str, place: Path) -> tuple[int, str]:
    """The exit code of `colloquy check`, and what it says."""
    running = await asyncio.create_subprocess_exec(
        *(str(COLLOQUY), "check"),
        env={**os.environ, "DATABASE_URL": database_url, "JWT_SECRET": SECRET},
        cwd=place,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await running.communicate()
    assert running.returncode is not None
    return running.returncode, said.decode()
