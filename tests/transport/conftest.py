"""The server that the tests of the transport share."""

from collections.abc import AsyncIterator

import pytest

from tests.transport.sample_server import Server, serving


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[Server]:
    """A server of the sample schema."""
    async with serving() as running:
        yield running
