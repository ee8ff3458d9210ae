"""PostgreSQL for tests and experiments: databases on a shared server, or a server of one's own to be killed."""

import asyncio
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.util import immutabledict

from app.db.operations import migrate, row_policies
from app.db.operations.embedded import embedded_postgres

HERE = Path(__file__).resolve().parent.parent
OUR_DATABASES = "select datname from pg_database where datname like 'colloquy\\_%'"
CLIENTS = "datname = $1 and backend_type = 'client backend' and pid <> pg_backend_pid()"
NUMBERS = count()
SERVER_ROLE = "colloquy_test_server"
"""The role of every migrated database for which row-level security is on; the databases' owner is not subject to it."""

NewDatabase = Callable[[], Awaitable[str]]
"""Creates a database without rows and returns its URL."""


def dsn(url: str) -> str:
    """The URL as asyncpg itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def at(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def with_hosts(url: str, *hosts: str | None) -> str:
    """The URL with several hosts; `None` is its own."""
    parts = make_url(url)
    own = str(parts.query.get("host") or parts.host), str(parts.port or 5432)
    names, ports = zip(*((host, "5432") if host else own for host in hosts), strict=True)
    query: immutabledict[str, tuple[str, ...] | str] = immutabledict({"host": ",".join(names), "port": ",".join(ports)})
    return parts._replace(host=None, port=None, query=query).render_as_string(hide_password=False)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the driver, past the application."""
    connection = await asyncpg.connect(dsn(url))
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def directory() -> Iterator[Path]:
    """A directory that the server's account may enter; removed afterwards, with what it links to in /var/lib."""
    path = Path(tempfile.mkdtemp(prefix="colloquy-test-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        for link in path.glob("**/elsewhere"):
            shutil.rmtree(link.resolve())
        shutil.rmtree(path)


def postmaster(root: Path) -> int:
    """The pid of the server whose data is below `root`."""
    return int((_data(root) / "postmaster.pid").read_text().splitlines()[0])


def _data(root: Path) -> Path:
    return (root / "elsewhere" if (root / "elsewhere").exists() else root) / "data"


class PostgresServer:
    """A durable server that may be killed: what it has acknowledged must outlive it."""

    def __init__(self, url: str, root: Path) -> None:
        self.url, self.root = url, root

    def kill(self) -> None:
        """SIGKILL to the postmaster."""
        os.kill(postmaster(self.root), signal.SIGKILL)

    def back_up(self) -> None:
        """Copies the data of a killed server, in place of an earlier backup."""
        _copy(_data(self.root), self._backup)

    def restore(self) -> None:
        """Puts the backup in place of the data of a killed server."""
        _copy(self._backup, _data(self.root))

    @property
    def _backup(self) -> Path:
        return _data(self.root).with_name("backup")

    async def restart(self) -> None:
        """Starts a killed server; returns after its recovery. `own_server` still stops it."""

        def start() -> None:
            with embedded_postgres(self.root):
                pass

        await asyncio.to_thread(start)

    async def end_connections(self, database: str, condition: str = "true") -> int:
        """Ends the database's client connections of which the SQL condition holds; returns their number."""
        statement = f"select count(pg_terminate_backend(pid)) from pg_stat_activity where {CLIENTS} and {condition}"
        async with connected(self.url) as connection:
            ended: int = await connection.fetchval(statement, database)
        return ended


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", source, target], check=True)  # keeps the owner of the files


@contextmanager
def own_server() -> Iterator[PostgresServer]:
    """A durable server with an empty database, stopped at the end; its data is removed."""
    with directory() as path, embedded_postgres(path / "pg") as url:
        yield PostgresServer(url, path / "pg")


@contextmanager
def shared_server() -> Iterator[str]:
    """The URL of the server of the whole run: `TEST_DATABASE_URL`, or an embedded one that the workers share."""
    if configured := os.environ.get("TEST_DATABASE_URL"):
        yield configured
        return
    checkout = hashlib.sha256(str(HERE).encode()).hexdigest()[:12]
    with embedded_postgres(Path(tempfile.gettempdir()) / f"colloquy-{os.getuid()}-{checkout}", durable=False) as url:
        yield url


@asynccontextmanager
async def databases(server: str, *, migrated: bool = True) -> AsyncIterator[NewDatabase]:
    """Creates databases without rows on `server`; they are dropped at the end."""
    template, made = await _template(server) if migrated else "template1", list[str]()

    async def new() -> str:
        made.append(f"colloquy_test_{os.getpid()}_{next(NUMBERS)}")
        async with connected(server) as admin:
            await admin.execute(f"create database {made[-1]} template {template} strategy wal_log")
        return at(server, made[-1])

    try:
        yield new
    finally:
        async with connected(server) as admin:
            await _drop(admin, made)


async def _template(server: str) -> str:
    """The database that all others are copied from; the first worker after a change of the migrations creates it."""
    name, building = f"colloquy_template_{fingerprint()}", "colloquy_building"
    async with connected(server) as admin:
        await admin.execute("select pg_advisory_lock(815)")
        existing = [row["datname"] for row in await admin.fetch(OUR_DATABASES)]
        if name not in existing:
            await _drop(admin, [other for other in existing if not in_use(other)])
            await admin.execute(f"create database {building}")
            await asyncio.to_thread(migrate.upgrade, at(server, building))
            await asyncio.to_thread(row_policies.secure, at(server, building), SERVER_ROLE)
            await admin.execute(f"alter database {building} rename to {name}")
    return name


def fingerprint() -> str:
    """Identifies what a new database contains: the migrations, and the policies after them."""
    scripts = [*sorted((HERE / "migrations").glob("**/*.py")), Path(str(row_policies.__file__))]
    return hashlib.sha256(b"".join(script.read_bytes() for script in scripts)).hexdigest()[:16]


def in_use(name: str) -> bool:
    """True if the process that created this database still runs."""
    owner = re.fullmatch(r"colloquy_test_(\d+)_\d+", name)
    return owner is not None and Path(f"/proc/{owner[1]}").exists()


async def _drop(admin: asyncpg.Connection, names: list[str]) -> None:
    for name in names:
        await admin.execute(f"drop database if exists {name} with (force)")
