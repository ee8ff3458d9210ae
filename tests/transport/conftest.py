"""The server that the stories about the transport share."""

from collections.abc import AsyncIterator

import pytest

from tests.transport.server import Server, serving


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[Server]:
    """One server of the small schema, with everything as in life but a smaller body."""
    async with serving() as found:
        yield found
