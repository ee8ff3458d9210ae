"""A listening connection that dies without a word: nothing comes, and nothing says so."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack

import asyncpg

from app.db.operations import migrate
from app.live import hub, shared_bus
from app.live.postgres_bus import PostgresBus
from harness.postgres import dsn, own_server
from harness.server_settings import settings_for
from tests.support.servers import serving

LISTENER = "select pid from pg_stat_activity where query ilike 'listen%' and pid <> $1"


async def test_a_listener_that_hangs_is_replaced_and_nothing_is_missed(monkeypatch):
    monkeypatch.setattr(PostgresBus, "beat_seconds", 0.2)
    monkeypatch.setattr(shared_bus, "TELL_SECONDS", 0.5)
    monkeypatch.setattr(hub, "POLL_SECONDS", 3600)
    monkeypatch.setattr(hub, "DEGRADED_POLL_SECONDS", 3600)
    with own_server() as postgres:
        url = postgres.url
        await asyncio.to_thread(migrate.upgrade, url)
        connection = await asyncpg.connect(dsn(url))
        async with AsyncExitStack() as stack:
            one = await stack.enter_async_context(serving(settings_for(url)))
            [hanging] = await listeners(connection, 1)
            other = await stack.enter_async_context(serving(settings_for(url)))
            await asyncio.gather(one.ready(), other.ready())
            os.kill(hanging, signal.SIGSTOP)
            try:
                session = await other.user("ann").creates_session("Hanging")
                async with one.user("ann").follows(session) as live:
                    await live.until("CaughtUp")
                    await other.user("ann").appends(session, "to deaf ears")
                    assert (await live.until("MessageAdded"))[-1]["message"]["text"] == "to deaf ears"
                await one.ready()
                assert await listeners(connection, 2, besides=hanging)
            finally:
                os.kill(hanging, signal.SIGCONT)
        await connection.close()


async def listeners(connection, many, besides=0):
    """The pids of the backends that listen, once there are so many; after telling, one shows it with its next beat."""
    while len(found := await connection.fetch(LISTENER, besides)) < many:
        await asyncio.sleep(0.02)
    return [row["pid"] for row in found]
