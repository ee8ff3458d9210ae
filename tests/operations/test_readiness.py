"""Old and new programs on one database: which are ready, and what a migration by the wrong program does."""

import asyncio
import shutil

import asyncpg
import pytest

from app.db.operations import migrate, readiness
from harness.outage import Outage
from harness.postgres import dsn, with_hosts
from harness.running_server import is_ready
from harness.server_settings import settings_for
from tests.support.databases import open_database
from tests.support.servers import serving

NEWEST = readiness.expected_revision()
SCRIPT = """
from alembic import op
revision = "{revision}"
down_revision = "{follows}"
branch_labels = depends_on = None
{declared}
def upgrade(): op.execute("comment on table sessions is '{revision}'")
def downgrade(): op.execute("comment on table sessions is null")
"""
EXPAND = ("n1", NEWEST, 'kind = "expand"')
EXPAND_MORE = ("n2", "n1", 'kind = "expand"')
CONTRACT = ("n3", "n2", 'kind = "contract"\ncompatible_from = "n1"')


@pytest.fixture
def program_with(tmp_path):
    """`program_with(EXPAND, ...)`: the migration scripts of a newer program."""

    def scripts(*revisions):
        directory = tmp_path / revisions[-1][0]
        shutil.copytree(readiness.SCRIPTS, directory)
        for revision, follows, declared in revisions:
            script = SCRIPT.format(revision=revision, follows=follows, declared=declared)
            (directory / f"versions/{revision}.py").write_text(script)
        return directory

    return scripts


@pytest.fixture
async def url(fresh_database):
    return await fresh_database()


async def ready(server):
    response = await server.http.get(f"{server.url}/readyz")
    return response.status_code, response.json()["reasons"]


async def declared(url):
    connection = await asyncpg.connect(dsn(url))
    row = await connection.fetchrow("select version_num, compatible_from from alembic_version")
    await connection.close()
    return tuple(row)


async def test_an_older_program_stays_ready_while_newer_migrations_only_add(url, program_with):
    newer, newest = program_with(EXPAND, EXPAND_MORE), program_with(EXPAND, EXPAND_MORE, CONTRACT)
    async with serving(settings_for(url)) as server:
        await server.ready()
        await asyncio.to_thread(migrate.upgrade, url, scripts=newer)
        assert await declared(url) == ("n2", "0005")
        assert is_ready((await server.http.get(f"{server.url}/readyz")).json())
        assert await server.user("ann").creates_session("Goes on")
        await asyncio.to_thread(migrate.upgrade, url, scripts=newest)
        assert await declared(url) == ("n3", "n1")
        assert await ready(server) == (503, [f"migrations: the database is at n3, this program needs {NEWEST}"])
        await asyncio.to_thread(migrate.downgrade, url, "n2", scripts=newest)
        assert await declared(url) == ("n2", "0005")
        assert await ready(server) == (200, [])


async def test_a_read_only_database_is_named_and_a_group_without_a_primary_is_not_ready(database_server, url):
    async with (
        serving(settings_for(url)) as server,
        serving(settings_for(with_hosts(url, None, "/nowhere"))) as several,
    ):
        await server.ready()
        await several.ready()
        async with Outage(database_server, url).read_only():
            # The first look may find the connections that the outage has ended.
            while "read-only" not in (await server.http.get(f"{server.url}/readyz")).text:
                await asyncio.sleep(0.05)
            response = await server.http.get(f"{server.url}/readyz")
            assert (response.status_code, response.json()["reasons"]) == (200, [])
            assert response.json()["degraded"][0].startswith("database: it is read-only")
            while "promote a standby" not in (await several.http.get(f"{several.url}/readyz")).text:
                await asyncio.sleep(0.05)
            assert (await ready(several))[0] == 503
        await server.ready()
        await several.ready()


async def test_a_program_is_ready_from_the_revision_on_that_a_contract_declares(url, program_with):
    old, newer = program_with(EXPAND), program_with(EXPAND, EXPAND_MORE, CONTRACT)
    db = open_database(url)
    late = f"migrations: the database is at {NEWEST}, this program needs n1; run `colloquy migrate`"
    assert await readiness.unready(db, old) == late
    await asyncio.to_thread(migrate.upgrade, url, scripts=newer)
    assert await readiness.unready(db, old) is None
    assert await readiness.unready(db, newer) is None
    await db.close()


async def test_an_older_program_does_not_migrate_a_newer_database(url, program_with):
    lines = []
    await asyncio.to_thread(migrate.upgrade, url, scripts=program_with(EXPAND))
    await asyncio.to_thread(migrate.upgrade, url, report=lines.append)
    assert lines == ["A newer program has migrated the database to n1; this program can use it."]
    with pytest.raises(migrate.MigrationError, match="at n1, a revision of a newer program"):
        await asyncio.to_thread(migrate.to_revision, url, "0005")
    await asyncio.to_thread(migrate.upgrade, url, scripts=program_with(EXPAND, EXPAND_MORE, CONTRACT))
    with pytest.raises(migrate.MigrationError, match="at n3, a revision of a newer program"):
        await asyncio.to_thread(migrate.upgrade, url)
    assert await declared(url) == ("n3", "n1")
