"""After every race the whole database is checked."""

from collections.abc import AsyncIterator

import pytest

from tests.support.invariants import assert_nothing_broken


@pytest.fixture(autouse=True)
async def check_database(server, database_url: str) -> AsyncIterator[None]:
    yield
    await assert_nothing_broken(database_url)
