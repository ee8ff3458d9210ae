from collections.abc import AsyncIterator, Iterator

import pytest
from colloquy import AsyncClient, Client

from harness.unreliable_proxy import UnreliableProxy, unreliable_proxy

QUICK_RETRIES = {"max_wait": 0.01}


@pytest.fixture
async def client(ann) -> AsyncIterator[AsyncClient]:
    """Ann's client."""
    async with AsyncClient(ann.url, ann.token) as client:
        yield client


@pytest.fixture
async def stranger(bob) -> AsyncIterator[AsyncClient]:
    """Bob's client."""
    async with AsyncClient(bob.url, bob.token) as client:
        yield client


@pytest.fixture
def sync_client(ann) -> Iterator[Client]:
    """Ann's blocking client; the server runs in the event loop of the test, so threads use it."""
    with Client(ann.url, ann.token) as client:
        yield client


@pytest.fixture
async def proxy(ann) -> AsyncIterator[UnreliableProxy]:
    """A proxy before the server that loses responses and connections."""
    async with unreliable_proxy(ann.url) as proxy:
        yield proxy


@pytest.fixture
async def proxied_client(ann, proxy) -> AsyncIterator[AsyncClient]:
    """Ann's client behind the proxy; it retries without long waits."""
    async with AsyncClient(proxy.url, ann.token, **QUICK_RETRIES) as client:
        yield client
