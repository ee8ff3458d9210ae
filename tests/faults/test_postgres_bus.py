"""PostgresBus: a connection that hangs receives nothing, and no error shows it."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import asyncpg

from app.db.operations import migrate
from app.live.tuning import LiveTuning
from harness.postgres import dsn, own_server
from harness.server_settings import settings_for
from tests.support.servers import serving

TUNING = LiveTuning(
    poll_seconds=3600, degraded_poll_seconds=3600, postgres_heartbeat_seconds=0.2, send_timeout_seconds=0.5
)
LISTENERS = "select pid from pg_stat_activity where query ilike 'listen%' and pid <> $1"


async def test_a_connection_that_hangs_is_replaced_and_nothing_is_missed():
    with own_server() as postgres:
        url = postgres.url
        await asyncio.to_thread(migrate.upgrade, url)
        connection = await asyncpg.connect(dsn(url))
        async with AsyncExitStack() as stack:
            one = await stack.enter_async_context(serving(settings_for(url), TUNING))
            [hanging] = await listeners(connection, 1)
            other = await stack.enter_async_context(serving(settings_for(url), TUNING))
            await asyncio.gather(one.ready(), other.ready())
            os.kill(hanging, signal.SIGSTOP)
            try:
                session = await other.user("ann").creates_session("Hanging")
                async with one.user("ann").follows(session) as live:
                    await live.until("CaughtUp")
                    await other.user("ann").appends(session, "while one connection hangs")
                    assert (await live.until("MessageAdded"))[-1]["message"]["text"] == "while one connection hangs"
                await one.ready()
                assert await listeners(connection, 2, besides=hanging)
            finally:
                os.kill(hanging, signal.SIGCONT)
        await connection.close()


async def listeners(connection, many, besides=0):
    """The pids of the listening backends, once there are so many.

    A backend that has notified shows LISTEN as its query again after its next heartbeat.
    """
    while len(found := await connection.fetch(LISTENERS, besides)) < many:
        await asyncio.sleep(0.02)
    return [row["pid"] for row in found]
