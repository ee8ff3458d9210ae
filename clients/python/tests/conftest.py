from collections.abc import AsyncIterator, Iterator

import pytest
import stamina
from colloquy import AsyncClient, Client

from clients.python.tests.proxy import Proxy, proxy


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """What is tried again is tried at once."""
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.fixture
async def client(ann) -> AsyncIterator[AsyncClient]:
    """Ann's."""
    async with AsyncClient(ann.url, ann.token) as hers:
        yield hers


@pytest.fixture
async def stranger(bob) -> AsyncIterator[AsyncClient]:
    """Bob's."""
    async with AsyncClient(bob.url, bob.token) as his:
        yield his


@pytest.fixture
def blocking(ann) -> Iterator[Client]:
    """Ann's, for threads: the server runs in the test's own loop."""
    with Client(ann.url, ann.token) as hers:
        yield hers


@pytest.fixture
async def way(ann) -> AsyncIterator[Proxy]:
    """A way to the server that breaks when told to."""
    async with proxy(ann.url) as broken:
        yield broken
