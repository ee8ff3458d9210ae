"""The rebuilding of the search index: complete, invisible to clients, and never with words of a text that is gone."""

import asyncio

import asyncpg
import pytest

from app.db.operations import reindex
from harness.postgres import dsn
from harness.server_settings import settings_for
from tests.api.test_search import creates_messages, finds
from tests.support.databases import open_database
from tests.support.servers import serving
from tests.support.streaming import starts, writes
from tests.test_cli import colloquy

INDEXING = {"config": "simple", "searchable": 100}
OLD_INDEX = "UPDATE messages SET tsv = to_tsvector('simple', text) || array_to_tsvector(ARRAY['@' || owner_id])"
ROWS = "SELECT sequence, text, revision, updated_at, xmin::text FROM messages ORDER BY owner_id, session_id, sequence"


@pytest.fixture
async def indexed(fresh_database):
    """A database of its own: its URL, a user of a server on it, its second access, and a connection past the program."""
    url = await fresh_database()
    admin, db = await asyncpg.connect(dsn(url)), open_database(url, pool_size=2)
    async with serving(settings_for(url)) as server:
        yield url, server.user("ann"), db, admin
    await db.close()
    await admin.close()


async def renews(db, **indexing):
    return [(owner, count) async for owner, count in reindex.run(db, INDEXING | indexing)]


async def test_messages_of_an_old_index_are_found_after_it(indexed, monkeypatch):
    monkeypatch.setattr(reindex, "BATCH_SIZE", 2)
    _, ann, db, admin = indexed
    await creates_messages(ann, "run main.py", "see main.py", "東京都", "plain", "x" * 100 + " beyond")
    await admin.execute(OLD_INDEX)
    assert await finds(ann, "py") == await finds(ann, "京都") == []
    assert await finds(ann, "plain") == ["plain"]
    before = [tuple(row)[:4] for row in await admin.fetch(ROWS)]
    assert sum(count for _, count in await renews(db)) == 5
    assert sorted(await finds(ann, "py")) == ["run main.py", "see main.py"]
    assert await finds(ann, "京都") == ["東京都"]
    assert await finds(ann, "beyond") == []
    assert [tuple(row)[:4] for row in await admin.fetch(ROWS)] == before


async def test_a_second_run_writes_nothing(indexed):
    _, ann, db, admin = indexed
    await creates_messages(ann, "main.py", "東京都")
    await admin.execute(OLD_INDEX)
    await renews(db)
    before = await admin.fetch(ROWS)
    assert await renews(db) == [(ann.name, 2)]
    assert await admin.fetch(ROWS) == before


async def test_another_configuration_applies_after_it(indexed):
    _, ann, db, admin = indexed
    await creates_messages(ann, "She was running")
    await renews(db, config="english")
    assert "'run':3" in await admin.fetchval("SELECT tsv::text FROM messages")


async def test_words_of_a_text_that_is_gone_do_not_come_back(indexed):
    _, ann, db, _ = indexed
    session = await creates_messages(ann, "secret one", "secret two", "secret three")
    rows = await reindex._batch(db, INDEXING, ("", reindex.NO_SESSION, 0), 10)
    await ann.does("redactMessage", id=f"msg_{session[4:]}_1", text="gone")
    await ann.does("deleteMessage", id=f"msg_{session[4:]}_2")
    renewed = await reindex._renew(db, reindex.RENEW, rows, INDEXING)
    assert [sequence for _, sequence in renewed] == [3]
    for row in rows[:2]:
        await reindex._renew_changed(db, row, INDEXING)
    assert await finds(ann, "secret") == ["secret three"]
    assert await finds(ann, "gone") == ["gone"]


async def test_a_locked_message_is_renewed_when_it_is_free(indexed):
    _, ann, db, admin = indexed
    await creates_messages(ann, "main.py", "see main.py")
    await admin.execute(OLD_INDEX)
    async with admin.transaction():
        await admin.execute("SELECT FROM messages WHERE owner_id = $1 AND sequence = 1 FOR UPDATE", ann.name)
        running = asyncio.create_task(renews(db))
        async with asyncio.timeout(60):
            while not (found := await finds(ann, "py")):
                await asyncio.sleep(0.05)
        assert found == ["see main.py"]
        assert not running.done()
    await running
    assert sorted(await finds(ann, "py")) == ["main.py", "see main.py"]


async def test_a_message_that_is_being_written_is_left_alone(indexed):
    _, ann, db, _ = indexed
    session = await ann.creates_session()
    await writes(ann, await starts(ann, session), "half a text")
    assert await renews(db) == []


async def test_the_command_prints_how_many_messages_it_indexed(indexed):
    url, ann, _, _ = indexed
    await creates_messages(ann, "main.py", "see main.py")
    done = await asyncio.to_thread(colloquy, "reindex", DATABASE_URL=url)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 messages are indexed.")
    after = await asyncio.to_thread(colloquy, "reindex", "--from", "zzz", DATABASE_URL=url)
    assert after.stdout.splitlines()[-1] == "0 messages are indexed."
    wrong = await asyncio.to_thread(colloquy, "reindex", DATABASE_URL=url, SEARCH_CONFIG="klingon")
    assert wrong.returncode == 1
    assert "klingon" in wrong.stderr
