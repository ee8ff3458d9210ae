"""Migrations against a real server, with throwaway scripts: the order, the lock, the odd URL."""

import asyncio
import sys

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from app.db.operations import migrate
from harness.postgres import dsn

SCRIPT = """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = {revision!r}, {follows!r}, None, None
def upgrade(): op.create_table({revision!r}, sa.Column("n", sa.Integer))
def downgrade(): op.drop_table({revision!r})
"""
REPLICA = """
import sys
from pathlib import Path
from app.db.operations import migrate
migrate.SCRIPTS = Path(sys.argv[1])
migrate.upgrade(sys.argv[2])
"""


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    """Our own env.py with two migrations, in a directory with a name that configuration files dislike."""
    place = tmp_path / "100%s migrations"
    (place / "versions").mkdir(parents=True)
    (place / "env.py").write_text((migrate.SCRIPTS / "env.py").read_text())
    for revision, follows in (("one", None), ("two", "one")):
        (place / f"versions/{revision}.py").write_text(SCRIPT.format(revision=revision, follows=follows))
    monkeypatch.setattr(migrate, "SCRIPTS", place)
    migrate.head.cache_clear()
    yield place
    migrate.head.cache_clear()


@pytest.fixture
async def empty(empty_database):
    return await empty_database()


async def tables(url):
    connection = await asyncpg.connect(dsn(url))
    rows = await connection.fetch("select relname from pg_class where relname in ('one', 'two') order by 1")
    await connection.close()
    return [row["relname"] for row in rows]


async def current(url):
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await migrate.current(connection)
    await engine.dispose()
    return found


async def test_a_database_goes_up_down_and_up_again(scripts, empty):
    assert (migrate.head(), await current(empty)) == ("two", None)
    await asyncio.to_thread(migrate.upgrade, empty, "one")
    assert (await tables(empty), await current(empty)) == (["one"], "one")
    await asyncio.to_thread(migrate.upgrade, empty)
    assert (await tables(empty), await current(empty)) == (["one", "two"], "two")
    await asyncio.to_thread(migrate.downgrade, empty, "base")
    assert (await tables(empty), await current(empty)) == ([], None)
    await asyncio.to_thread(migrate.upgrade, empty)
    assert await tables(empty) == ["one", "two"]


async def test_replicas_that_start_together_migrate_once(scripts, empty):
    line = [sys.executable, "-c", REPLICA, str(scripts), empty]
    replicas = [await asyncio.create_subprocess_exec(*line) for _ in range(3)]
    assert [await replica.wait() for replica in replicas] == [0, 0, 0]
    assert await tables(empty) == ["one", "two"]


async def test_a_migration_that_fails_leaves_what_was_before(scripts, empty):
    script = scripts / "versions/two.py"
    script.write_text(script.read_text().replace("def upgrade(): ", "def upgrade(): raise RuntimeError('no'); "))
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(migrate.upgrade, empty)
    assert (await tables(empty), await current(empty)) == (["one"], "one")


async def test_one_command_goes_either_way_and_says_where_it_is(scripts, empty):
    for to, reached in (("one", "one"), ("head", "two"), ("two", "two"), ("one", "one"), ("base", None)):
        assert await asyncio.to_thread(migrate.move, empty, to) == reached


async def test_what_cannot_be_done_is_said_without_the_password(scripts, empty):
    with pytest.raises(migrate.MigrationError, match="nowhere"):
        await asyncio.to_thread(migrate.move, empty, "nowhere")
    closed = "postgresql+asyncpg://app:secret@127.0.0.1:1/app"
    with pytest.raises(migrate.MigrationError) as refused:
        await asyncio.to_thread(migrate.upgrade, closed)
    assert "127.0.0.1:1" in str(refused.value)
    assert "secret" not in str(refused.value)
