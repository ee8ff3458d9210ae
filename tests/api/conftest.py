"""What only these stories need: a hand on the database, for what time alone would bring."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from harness import postgres


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[Callable[..., Awaitable[list[Any]]]]:
    """`await sql("select ...", value)`, past the server."""
    connection = await asyncpg.connect(postgres.dsn(database_url))
    try:
        yield connection.fetch
    finally:
        await connection.close()


@pytest.fixture
def expires(sql: Callable[..., Awaitable[list[Any]]]) -> Callable[..., Awaitable[None]]:
    """Lets a session expire: by idleness, or `past_its_end` when `expiresAt` has come."""

    async def expire(session: str, *, past_its_end: bool = False) -> None:
        if past_its_end:
            await sql("update sessions set expires_at = now() - interval '1 hour' where id = $1", row_of(session))
        else:
            await sql("update sessions set status = 'EXPIRED' where id = $1", row_of(session))

    return expire


def row_of(session: str) -> str:
    """The database's id of a session."""
    return session.removeprefix("ses_")
