"""PostgreSQL for tests: one server for the whole run, a migrated database per worker, others on demand."""

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url

from app.db.operations import migrate
from app.db.operations.embedded import embedded_postgres

HERE = Path(__file__).resolve().parent.parent
OURS = "select datname from pg_database where datname like 'colloquy\\_%'"
NUMBERS = count()


def dsn(url: str) -> str:
    """The URL as asyncpg itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def directory() -> Iterator[Path]:
    """A directory that the server's account may enter, gone afterwards; so are its twins in /var/lib."""
    place = Path(tempfile.mkdtemp(prefix="colloquy-test-"))
    place.chmod(0o711)
    try:
        yield place
    finally:
        for twin in place.glob("**/elsewhere"):
            shutil.rmtree(twin.resolve())
        shutil.rmtree(place)


def postmaster(root: Path) -> int:
    """The pid of the server on `root`, to be killed."""
    place = root / "elsewhere" if (root / "elsewhere").exists() else root
    return int((place / "data/postmaster.pid").read_text().splitlines()[0])


@contextmanager
def own_server() -> Iterator[tuple[str, Path]]:
    """The URL of an empty database on a durable server of one's own, and its root for `postmaster`."""
    with directory() as place, embedded_postgres(place / "pg") as url:
        yield url, place / "pg"


@contextmanager
def server() -> Iterator[str]:
    """The server of the whole run: `TEST_DATABASE_URL`, or an embedded one that the workers share."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    checkout = hashlib.sha256(str(HERE).encode()).hexdigest()[:12]
    with embedded_postgres(Path(tempfile.gettempdir()) / f"colloquy-{os.getuid()}-{checkout}", durable=False) as url:
        yield url


@asynccontextmanager
async def databases(server: str, *, migrated: bool = True) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A factory of databases without rows on `server`; they are dropped at the end."""
    template, made = await _template(server) if migrated else "template1", list[str]()

    async def fresh() -> str:
        made.append(f"colloquy_test_{os.getpid()}_{next(NUMBERS)}")
        async with _connected(server) as admin:
            await admin.execute(f"create database {made[-1]} template {template} strategy wal_log")
        return _at(server, made[-1])

    try:
        yield fresh
    finally:
        async with _connected(server) as admin:
            await _drop(admin, made)


async def _template(server: str) -> str:
    """The database that all others are copied from: migrated by whoever comes first after a change."""
    name, building = f"colloquy_template_{_fingerprint()}", "colloquy_building"
    async with _connected(server) as admin:
        await admin.execute("select pg_advisory_lock(815)")
        ours = [row["datname"] for row in await admin.fetch(OURS)]
        if name not in ours:
            await _drop(admin, [other for other in ours if not _in_use(other)])
            await admin.execute(f"create database {building}")
            await asyncio.to_thread(migrate.upgrade, _at(server, building))
            await admin.execute(f"alter database {building} rename to {name}")
    return name


def _fingerprint() -> str:
    scripts = sorted((HERE / "migrations").glob("**/*.py"))
    return hashlib.sha256(b"".join(script.read_bytes() for script in scripts)).hexdigest()[:16]


def _in_use(name: str) -> bool:
    """Whether the run that made this database still goes on."""
    owner = re.fullmatch(r"colloquy_test_(\d+)_\d+", name)
    return bool(owner) and Path(f"/proc/{owner[1]}").exists()


def _at(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@asynccontextmanager
async def _connected(server: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn(server))
    try:
        yield connection
    finally:
        await connection.close()


async def _drop(admin: asyncpg.Connection, names: list[str]) -> None:
    for name in names:
        await admin.execute(f"drop database if exists {name} with (force)")
