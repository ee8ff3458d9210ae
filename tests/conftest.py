"""What every test may ask for."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from tests import postgres


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """The server that all workers share."""
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
async def fresh_database(database_server: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """`await fresh_database()` is the URL of a migrated, empty database that nobody else uses."""
    async with postgres.databases(database_server) as fresh:
        yield fresh


@pytest.fixture(scope="session")
async def empty_database(database_server: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """`await empty_database()` is the URL of a database before its first migration."""
    async with postgres.databases(database_server, migrated=False) as fresh:
        yield fresh


@pytest.fixture(scope="session")
async def database_url(fresh_database: Callable[[], Awaitable[str]]) -> str:
    """The URL of this worker's migrated database."""
    return await fresh_database()
