"""PostgreSQL's plans and the statements' behaviour confirm: no permitted statement reaches another owner's rows."""

import asyncpg
import pytest
from sqlalchemy.schema import CreateTable

from app.db.access.engine import detect
from app.db.access.pool import use_text_codecs
from app.db.access.statement import DIALECT, REGISTERED, Row, Statement
from app.db.tables import metadata
from harness import statement_variants
from harness.postgres import dsn
from tests.db import statement_shapes
from tests.db.ownership_checks import SampleTables, compare, unbound_scans

OURS = [query for name, query in REGISTERED.items() if isinstance(query, Statement) and not name.startswith("test_")]

# The ownership check refuses these too, although they are bound: equalities alone do not show it.
BOUND_NEVERTHELESS = {
    "a parameter with a value",
    "cte",
    "full join bound in ON",
    "inside a tuple",
    "only in HAVING",
    "only in a correlated subquery",
    "subquery bound from outside",
}


@pytest.fixture
async def connection(fresh_database):
    connection = await asyncpg.connect(dsn(await fresh_database()))
    await use_text_codecs(connection)
    yield connection
    await connection.close()


@pytest.fixture
async def with_shapes(connection):
    """The connection, with the tables of `statement_shapes` in place of ours."""
    await connection.execute("CREATE SCHEMA shapes; SET search_path = shapes")
    for table in statement_shapes.metadata.sorted_tables:
        await connection.execute(str(CreateTable(table).compile(dialect=DIALECT)))
    return connection


def statements(shapes):
    return [Statement(name, "A shape.", element, Row) for name, element in shapes.items()]


@pytest.mark.plain_postgresql("the coordinator's plan has no scan of a table")
async def test_every_scan_of_our_statements_is_bound_in_the_plan(connection):
    ours = [query for query in statement_variants.registered().values() if isinstance(query, Statement)]
    scans = {s.name: await unbound_scans(connection, s, metadata.tables) for s in ours}
    assert {name: aliases for name, aliases in scans.items() if aliases} == {}


@pytest.mark.timeout(600)  # on Citus every comparison reads the rows of all nodes
async def test_our_statements_behave_the_same_beside_another_owner(connection):
    assert len(OURS) > 50
    engine = await detect(connection)
    sample = SampleTables(connection, metadata, OURS, routes=engine.routes)
    different, without_effect = await compare(sample, OURS, rows=90)
    assert different == []
    assert without_effect == []


async def test_both_checks_accept_bound_statements(with_shapes):
    good = statements(statement_shapes.GOOD)
    tables = statement_shapes.metadata.tables
    assert [s.name for s in good if await unbound_scans(with_shapes, s, tables)] == []
    sample = SampleTables(with_shapes, statement_shapes.metadata, good)
    different, without_effect = await compare(sample, good, rows=30)
    assert different == []
    assert without_effect == []


async def test_the_checks_together_find_unbound_statements(with_shapes):
    bad = [s for s in statements(statement_shapes.UNBOUND) if await is_valid_sql(with_shapes, s)]
    assert len(bad) > 40
    planned = [s for s in bad if await unbound_scans(with_shapes, s, statement_shapes.metadata.tables)]
    sample = SampleTables(with_shapes, statement_shapes.metadata, bad)
    different, _ = await compare(sample, bad, rows=20, attempts=20)
    assert {s.name for s in bad if s not in planned and s not in different} == BOUND_NEVERTHELESS


async def is_valid_sql(connection, statement):
    """Some unbound shapes are not valid SQL."""
    try:
        await connection.prepare(statement.sql)
    except asyncpg.exceptions.PostgresError:
        return False
    return True
