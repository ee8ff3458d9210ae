"""A database that goes back in time counts heads again: the session cache returns nothing of the lost time."""

import asyncio

import pytest

from app.db.operations import migrate
from app.live.bus import Bus
from harness.postgres import own_server
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.users import Refusal

TEXTS = "messages(last: 5) { nodes { text } } lastMessage { text }"


@pytest.fixture
def postgres():
    with own_server() as server:
        migrate.upgrade(server.url)
        yield server


async def restarts(postgres, server, change):
    """Kills PostgreSQL, changes its data, and starts it again."""
    postgres.kill()
    await asyncio.to_thread(change)
    await postgres.restart()
    await server.ready()


async def appends(user, session, text):
    """Appends on a server whose connections may be lost still."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await user.appends(session, text, key=text)
            except Refusal:
                await asyncio.sleep(0.1)


@pytest.mark.timeout(120)
@pytest.mark.xdist_group("faults")
async def test_a_restored_backup_is_read_although_the_heads_are_those_of_the_lost_time(postgres, monkeypatch):
    monkeypatch.setattr(Bus, "observer", property(lambda _: None, lambda *_: None))  # the cache gets no wake-ups
    async with serving(settings_for(postgres.url)) as server:
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session("s")
        await restarts(postgres, server, postgres.back_up)
        await appends(ann, session, "lost")
        before = await ann.sees(session, "eventCursor")
        seen = [await ann.sees(session, TEXTS) for _ in range(3)]
        assert [each["lastMessage"]["text"] for each in seen] == ["lost"] * 3
        await restarts(postgres, server, postgres.restore)
        await appends(ann, session, "kept")
        assert await ann.sees(session, "eventCursor") == before
        for _ in range(3):
            assert await ann.sees(session, TEXTS) == {
                "messages": {"nodes": [{"text": "kept"}]},
                "lastMessage": {"text": "kept"},
            }
        assert await bob.sees(session, TEXTS) is None
