"""Fixtures of all tests; the root conftest.py loads them as a plugin."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from app import demo
from app.main import DEMO
from harness import citus, postgres
from harness.server_settings import settings_for
from tests.support import requirements
from tests.support.ids import row_of
from tests.support.servers import Server, serving
from tests.support.users import User

# No deadlines: an example talks to a real server. HYPOTHESIS_PROFILE=nightly runs twenty times as many examples.
SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("quick", deadline=None, max_examples=60, suppress_health_check=SUPPRESSED, print_blob=True)
settings.register_profile("nightly", settings.get_profile("quick"), max_examples=1_200)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

NEW_DATABASES = citus.databases if citus.cluster_url() else postgres.databases


class DemoServer(NamedTuple):
    """The address of a server with the demo's conversations, and the token of their owner."""

    url: str
    token: str


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """The PostgreSQL server that all workers share, or the coordinator of Citus."""
    if cluster := citus.cluster_url():
        yield cluster
        return
    with postgres.shared_server() as url:
        yield url


@pytest.fixture(scope="session")
async def fresh_database(database_server: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """`await fresh_database()` is the URL of a new migrated database without rows."""
    async with NEW_DATABASES(database_server) as fresh:
        yield fresh


@pytest.fixture(scope="session")
async def empty_database(database_server: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """`await empty_database()` is the URL of a new database before its first migration."""
    async with NEW_DATABASES(database_server, migrated=False) as fresh:
        yield fresh


@pytest.fixture(scope="session")
async def database_url(fresh_database: Callable[[], Awaitable[str]]) -> str:
    """The URL of this worker's migrated database."""
    return await fresh_database()


@pytest.fixture(scope="session")
async def server(database_url: str) -> AsyncIterator[Server]:
    """This worker's running server."""
    async with serving(settings_for(database_url)) as running:
        yield running


@pytest.fixture
def user(server: Server) -> Callable[..., User]:
    """`user("carl")` is a new user: the name gets a random suffix."""
    return lambda name, **claims: server.user(f"{name}-{uuid4().hex[:12]}", **claims)


@pytest.fixture
def ann(user: Callable[..., User]) -> User:
    """The owner."""
    return user("ann")


@pytest.fixture
def bob(user: Callable[..., User]) -> User:
    """The stranger."""
    return user("bob")


@pytest.fixture(scope="session")
async def demo_server(fresh_database: Callable[[], Awaitable[str]]) -> AsyncIterator[DemoServer]:
    """A development server as `make run` starts it, with the demo conversations."""
    async with serving(settings_for(await fresh_database())) as running:
        token = running.token(DEMO)
        await demo.fill(running.url, token)
        yield DemoServer(running.url, token)


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[Callable[..., Awaitable[list[Any]]]]:
    """`await sql("select ...", value)` on a connection of its own, past the server."""
    connection = await asyncpg.connect(postgres.dsn(database_url))
    try:
        yield connection.fetch
    finally:
        await connection.close()


@pytest.fixture
def expires(sql: Callable[..., Awaitable[list[Any]]]) -> Callable[..., Awaitable[None]]:
    """Makes a session expire: by idleness, or `past_its_end` as if `expiresAt` had passed."""

    async def expire(session: str, *, past_its_end: bool = False) -> None:
        if past_its_end:
            await sql("update sessions set expires_at = now() - interval '1 hour' where id = $1", row_of(session))
        else:
            await sql("update sessions set status = 'EXPIRED' where id = $1", row_of(session))

    return expire


def pytest_configure(config: pytest.Config) -> None:
    """In CI, a run of the whole suite must pass every test of docs/requirements.md."""
    requirements.watch(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end of a run that Citus was not tested."""
    if citus.cluster_url() is None:
        terminalreporter.write_line(citus.NOT_TESTED, yellow=True)
