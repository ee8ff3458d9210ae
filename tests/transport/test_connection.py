"""Connection: sends to clients that have gone, and sends that are cancelled while they wait."""

import asyncio
from typing import Any

import pytest

from app.transport.connection import Connection, run_until_blocked


@pytest.mark.parametrize("error", [OSError, RuntimeError])
async def test_a_send_that_fails_marks_the_client_as_disconnected(error):
    """uvicorn raises RuntimeError once it has closed a socket itself, because its pings were not answered."""

    async def send(_message):
        raise error("closed")

    connection = Connection(None, send)
    await connection.send({})
    assert (connection.disconnected, connection.is_sending) == (True, False)


async def test_a_cancelled_send_has_cleaned_up_when_it_returns():
    steps = []

    async def send():
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")

    rest: Any = run_until_blocked(send())

    async def wait():
        await rest

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["cleaned up"]
