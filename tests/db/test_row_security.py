"""Row-level security: a statement that forgets the owner reads and writes nothing of a stranger."""

import asyncio
import json
from contextlib import suppress
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.engine import make_url

from app.commands.database import upgrade
from app.db import session_totals
from app.db.access import row_security
from app.db.access.pool import use_text_codecs
from app.db.access.statement import Row, Statement
from app.db.operations import check, readiness, row_policies
from app.db.tables import agents, messages, metadata, sessions
from app.sweeper import retention, sweep_once
from harness import statement_variants
from harness.pgbouncer import pgbouncer
from harness.postgres import SERVER_ROLE, connected, dsn
from harness.server_settings import settings_for
from tests.races.test_session_totals import COUNTED
from tests.support.databases import open_database
from tests.support.invariants import assert_nothing_broken
from tests.support.sample_data import create_sample_data
from tests.support.servers import serving
from tests.support.users import error

pytestmark = pytest.mark.plain_postgresql(
    "row-level security does not reach the nodes, so the server refuses DATABASE_ROLE there"
)


class Owner:
    """A viewer, without a token."""

    def __init__(self, subject):
        self.subject = subject


ANN, BOB, NOBODY = Owner("ann"), Owner("bob"), Owner(r"o\'nobody")


def unchecked(element):
    """A statement that the ownership check has not seen: it is not registered."""
    return Statement("test.unchecked", "A statement without an owner.", element, Row)


@pytest.fixture(scope="module")
async def url(fresh_database):
    """A database in which Ann and Bob each have one of everything."""
    url = await fresh_database()
    async with serving(settings_for(url, database_role=SERVER_ROLE)) as server:
        for name in ("ann", "bob"):
            await create_sample_data(server.user(name, roles=[f"mark-{name}"]), f"mark-{name}")
    db = open_database(url, role=SERVER_ROLE, pool_size=1)
    async with connected(url) as connection:
        for viewer in (ANN, BOB):  # a transaction elsewhere on the PostgreSQL of all tests delays the count
            while not await connection.fetchval(COUNTED, viewer.subject):
                async with db.begin(viewer) as tx:
                    await session_totals.count(tx)
    await db.close()
    return url


@pytest.fixture(params=[512, 0], ids=["prepared", "pooler"])
async def db(url, request):
    """One connection as the server opens it, for itself or for a pooler."""
    db = open_database(url, role=SERVER_ROLE, pool_size=1, statement_cache=request.param)
    yield db
    await db.close()


async def test_every_table_has_rows_of_one_owner_only(db):
    for name, table in metadata.tables.items():
        everything = unchecked(select(table.c.owner_id))
        for viewer in (ANN, BOB, ANN):
            found = {row["owner_id"] for row in await db.fetch(viewer, everything)}
            assert found <= {viewer.subject}, name
            assert found or name in ("idempotency_keys", "streams", "message_chunks"), name
        assert await db.fetch(NOBODY, everything) == []


async def test_an_unbound_statement_in_a_transaction_reads_one_owners_rows(db):
    everything = unchecked(select(messages.c.owner_id))
    for viewer in (ANN, BOB):
        async with db.begin(viewer) as tx:
            assert {row["owner_id"] for row in await tx.fetch(everything)} == {viewer.subject}


async def test_an_unbound_write_changes_one_owners_rows(db):
    rename = unchecked(update(sessions).values(title="mine").returning(sessions.c.owner_id))
    remove = unchecked(delete(messages).returning(messages.c.owner_id))
    for statement in (rename, remove):
        assert {row["owner_id"] for row in await db.fetch(NOBODY, statement)} == set()
        assert await rolled_back(db, ANN, statement) == {"ann"}


async def rolled_back(db, viewer, statement):
    """The owners of the rows that a write in a transaction finds."""
    with suppress(Undo):
        async with db.begin(viewer) as tx:
            found = {row["owner_id"] for row in await tx.fetch(statement)}
            raise Undo
    return found


class Undo(Exception):
    """Rolls the transaction back."""


async def test_any_owner_is_set_as_it_is(db):
    for subject in (r"a\'b", r"\\'' ", "o'nobody", "ann"):
        async with db.begin(Owner(subject)) as tx:
            [row] = await tx.fetch(unchecked(select(func.current_setting(row_security.SETTING).label("owner"))))
        assert row["owner"] == subject


async def test_a_row_of_a_stranger_cannot_be_written(db):
    row = {
        "owner_id": literal("bob"),
        "id": literal(str(uuid4()), agents.c.id.type),
        "key": literal("forged"),
        "name": literal("x"),
    }
    forged = unchecked(insert(agents).values(row).returning(agents.c.owner_id))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await db.fetch(ANN, forged)
    give = unchecked(update(sessions).values(owner_id=literal("bob")).returning(sessions.c.owner_id))
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ForeignKeyViolationError)):
        await db.fetch(ANN, give)


async def test_a_connection_returns_to_the_pool_without_an_owner(db):
    for viewer in (ANN, BOB):
        assert await db.fetch(viewer, unchecked(select(sessions.c.owner_id)))
        connection = await db.pool.acquire()
        try:
            assert not await connection.driver.fetchval("select current_setting('colloquy.owner', true)")
        finally:
            db.pool.release(connection)


async def test_concurrent_owners_on_few_connections_see_themselves_only(url):
    db = open_database(url, role=SERVER_ROLE, pool_size=2)
    everything = unchecked(select(messages.c.owner_id))

    async def look(viewer):
        for _ in range(25):
            assert {row["owner_id"] for row in await db.fetch(viewer, everything)} == {viewer.subject}

    await asyncio.gather(*(look(viewer) for viewer in (ANN, BOB) * 4))
    await db.close()


async def test_the_owner_is_set_before_a_row_is_read_in_every_plan(url):
    """The owner's row is the outer side of the outermost join; what reads rows lies below the inner side, or in a CTE."""
    connection = await asyncpg.connect(dsn(url))
    await use_text_codecs(connection)
    await connection.execute("set plan_cache_mode = force_generic_plan")
    await connection.execute(f"set role {SERVER_ROLE}")
    ours = [query for query in statement_variants.registered().values() if isinstance(query, Statement)]
    explained = 0
    for query in ours:
        if not query.reads and not list(query.element.cte().c):
            continue  # runs in transactions only
        plan = await generic_plan(connection, row_security.self_contained(query))
        [outer] = [child for child in plan["Plans"] if child["Parent Relationship"] == "Outer"]
        assert plan["Node Type"] == "Nested Loop", query.name
        assert any("set_config" in output for node in nodes(outer) for output in node["Output"]), query.name
        assert {node["Node Type"] for node in nodes(outer)} <= {"Subquery Scan", "Result", "Limit"}, query.name
        explained += 1
    assert explained > 80
    await connection.close()


async def generic_plan(connection, query):
    statement = await connection.prepare(query.sql)
    nulls = ", ".join(["null"] * len(statement.get_parameters()))
    types = ", ".join(
        f"{kind.schema}.{kind.name}".replace("[]", "") + "[]" * kind.name.endswith("[]")
        for kind in statement.get_parameters()
    )
    await connection.execute(f"prepare explained ({types}) as {query.sql}")
    plan = await connection.fetchval(f"explain (verbose, format json) execute explained ({nulls})")
    await connection.execute("deallocate explained")
    return json.loads(plan)[0]["Plan"]


def nodes(plan):
    """A node of a plan and those below."""
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


@pytest.mark.parametrize("statement_cache", [512, 0], ids=["prepared", "pooler"])
async def test_sweeper_and_check_work_across_owners(fresh_database, statement_cache):
    url = await fresh_database()
    settings = settings_for(url, database_role=SERVER_ROLE, statement_cache=statement_cache)
    async with serving(settings) as server:
        for name in ("ann", "bob"):
            await server.user(name).creates_session("Idle", status="ACTIVE")
    connection = await asyncpg.connect(dsn(url))
    await connection.execute("update sessions set last_activity_at = now() - interval '30 days'")
    db = open_database(url, role=SERVER_ROLE, pool_size=2, statement_cache=statement_cache)
    swept = await sweep_once(db, retention(settings))
    assert swept is not None
    assert sum(swept.values()) == 2
    assert await connection.fetch("select distinct status from sessions") == [("EXPIRED",)]
    assert not await check.is_empty(db)
    assert [rule async for rule, broken in check.violations(db) if broken] == []
    await db.close()
    await connection.close()


async def test_the_server_works_behind_a_transaction_pooler(fresh_database):
    direct = await fresh_database()
    with pgbouncer(direct, size=2) as pooled:
        settings = settings_for(
            pooled, database_direct_url=direct, statement_cache=0, pool_size=6, database_role=SERVER_ROLE
        )
        async with serving(settings) as server:
            await server.ready()
            ann, bob = server.user("ann"), server.user("bob")
            session = await ann.creates_session("Behind the pooler")
            texts = [str(number) for number in range(12)]
            await asyncio.gather(*(ann.appends(session, text) for text in texts))
            assert await bob.appends(session, "mine") == error("NOT_FOUND", field="sessionId")
            seen = await ann.sees(session, "messages { nodes { text } }")
            assert sorted(node["text"] for node in seen["messages"]["nodes"]) == sorted(texts)
            assert await bob.sees(session, "title") is None
    await assert_nothing_broken(direct)


async def test_readiness_names_the_tables_that_are_not_protected(fresh_database, url):
    protected, bare = open_database(url, role=SERVER_ROLE), await fresh_database()
    assert await readiness.unready(protected) is None
    await protected.close()
    connection = await asyncpg.connect(dsn(bare))
    await connection.execute("alter table agents disable row level security")
    await connection.close()
    db = open_database(bare, role=SERVER_ROLE)
    reason = await readiness.unready(db)
    assert reason == "row-level security: agents lack it; run `colloquy migrate`"
    await asyncio.to_thread(row_policies.secure, bare, SERVER_ROLE)
    assert await readiness.unready(db) is None
    await db.close()


async def test_migrate_protects_the_rows_as_a_user_who_may_create_roles(empty_database):
    """The user owns the database and is no superuser, as at a provider of PostgreSQL."""
    url = await empty_database()
    user, role = f"owner_{uuid4().hex[:8]}", f"server_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(dsn(url))
    await admin.execute(f"create role {user} login createrole; grant {user} to current_user")
    await admin.execute(f"alter database {make_url(url).database} owner to {user}")
    settings = settings_for(make_url(url).set(username=user).render_as_string(False), database_role=role)
    for _ in range(2):
        await asyncio.to_thread(upgrade, settings)
    async with serving(settings) as server:
        await server.ready()
        ann, bob = server.user("ann"), server.user("bob")
        session = await ann.creates_session("Mine")
        await ann.appends(session, "text")
        assert (await ann.sees(session, "messageCount"))["messageCount"] == 1
        assert await bob.sees(session, "messageCount") is None
    await admin.execute(f"set role {user}")
    await admin.execute(f"drop owned by {role}; drop role {role}; reset role")
    await admin.execute(f"reassign owned by {user} to current_user; drop owned by {user}; drop role {user}")
    await admin.close()


async def test_a_role_without_a_policy_reads_nothing_and_may_not_change_tables(url):
    connection = await asyncpg.connect(dsn(url))
    await connection.execute(f"set role {SERVER_ROLE}")
    assert await connection.fetchval("select count(*) from sessions") == 0
    for statement in ("truncate messages", "drop table messages", "alter table messages disable row level security"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("update alembic_version set version_num = '0001'")
    await connection.close()


async def test_every_table_belongs_to_owners():
    assert [name for name, table in metadata.tables.items() if "owner_id" not in table.c] == []
