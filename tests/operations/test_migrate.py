"""Migrations of a real database, with scripts of the test: their order, their lock, and errors."""

import asyncio
import sys

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from app.db.operations import migrate, readiness
from harness.postgres import dsn

SCRIPT = """
from alembic import op
import sqlalchemy as sa
revision = {revision!r}
down_revision = {follows!r}
def upgrade(): op.create_table({revision!r}, sa.Column("n", sa.Integer))
def downgrade(): op.drop_table({revision!r})
"""
REPLICA = """
import sys
from pathlib import Path
from app.db.operations import migrate
migrate.upgrade(sys.argv[2], scripts=Path(sys.argv[1]))
"""


@pytest.fixture
def scripts(tmp_path):
    """Our env.py with two migrations, in a directory whose name needs escaping in configuration files."""
    directory = tmp_path / "100%s migrations"
    (directory / "versions").mkdir(parents=True)
    (directory / "env.py").write_text((readiness.SCRIPTS / "env.py").read_text())
    for revision, follows in (("one", None), ("two", "one")):
        (directory / f"versions/{revision}.py").write_text(SCRIPT.format(revision=revision, follows=follows))
    return directory


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
        found = await readiness.current_revision(connection)
    await engine.dispose()
    return found


async def test_a_database_is_upgraded_downgraded_and_upgraded_again(scripts, empty):
    assert (readiness.expected_revision(scripts), await current(empty)) == ("two", None)
    await asyncio.to_thread(migrate.upgrade, empty, "one", scripts=scripts)
    assert (await tables(empty), await current(empty)) == (["one"], "one")
    await asyncio.to_thread(migrate.upgrade, empty, scripts=scripts)
    assert (await tables(empty), await current(empty)) == (["one", "two"], "two")
    await asyncio.to_thread(migrate.downgrade, empty, "base", scripts=scripts)
    assert (await tables(empty), await current(empty)) == ([], None)
    await asyncio.to_thread(migrate.upgrade, empty, scripts=scripts)
    assert await tables(empty) == ["one", "two"]


async def test_replicas_that_start_together_migrate_once(scripts, empty):
    line = [sys.executable, "-c", REPLICA, str(scripts), empty]
    replicas = [await asyncio.create_subprocess_exec(*line) for _ in range(3)]
    assert [await replica.wait() for replica in replicas] == [0, 0, 0]
    assert await tables(empty) == ["one", "two"]


async def test_a_failed_migration_leaves_the_previous_revision(scripts, empty):
    script = scripts / "versions/two.py"
    script.write_text(script.read_text().replace("def upgrade(): ", "def upgrade(): raise RuntimeError('no'); "))
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(migrate.upgrade, empty, scripts=scripts)
    assert (await tables(empty), await current(empty)) == (["one"], "one")


async def test_to_revision_upgrades_or_downgrades_and_returns_the_revision(scripts, empty):
    for to, reached in (("one", "one"), ("head", "two"), ("two", "two"), ("-1", "one"), ("-1", None)):
        assert await asyncio.to_thread(migrate.to_revision, empty, to, scripts=scripts) == reached


async def test_an_error_names_the_server_without_the_password(scripts, empty):
    with pytest.raises(migrate.MigrationError, match="nowhere"):
        await asyncio.to_thread(migrate.to_revision, empty, "nowhere", scripts=scripts)
    closed = "postgresql+asyncpg://app:secret@127.0.0.1:1/app"
    with pytest.raises(migrate.MigrationError) as refused:
        await asyncio.to_thread(migrate.upgrade, closed, scripts=scripts)
    assert "127.0.0.1:1" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_expected_revision_is_alembics_head():
    config = Config()
    config.set_main_option("script_location", str(readiness.SCRIPTS))
    assert readiness.expected_revision() == ScriptDirectory.from_config(config).get_current_head()
