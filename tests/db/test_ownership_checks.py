"""PostgreSQL's plans and plain behaviour testify: no statement that the choke point lets through leaves its owner."""

import asyncpg
import pytest
from sqlalchemy.schema import CreateTable

from app.db.access.database import DIALECT, REGISTERED, Row, Statement
from app.db.access.pool import plain_values
from app.db.tables import metadata
from harness.postgres import dsn
from tests.db import statement_shapes
from tests.db.ownership_checks import World, compare, open_scans

OURS = [statement for statement in REGISTERED if statement.where.startswith("app.")]

# The choke point refuses these as well: that their outcome is bound takes more than reading equalities.
BOUND_AFTER_ALL = {
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
    await plain_values(connection)
    yield connection
    await connection.close()


@pytest.fixture
async def beside(connection):
    """The same, with the tables of `shapes` in front of ours."""
    await connection.execute("CREATE SCHEMA shapes; SET search_path = shapes")
    for table in statement_shapes.metadata.sorted_tables:
        await connection.execute(str(CreateTable(table).compile(dialect=DIALECT)))
    return connection


def named(shapes):
    return [Statement(element, Row, name) for name, element in shapes.items()]


def test_our_statements_are_there():
    assert len(OURS) > 25


async def test_every_scan_of_our_statements_is_bound_in_the_plan(connection):
    scans = {s.where: await open_scans(connection, s, metadata.tables) for s in OURS}
    assert {where: aliases for where, aliases in scans.items() if aliases} == {}


async def test_our_statements_do_the_same_with_somebody_beside(connection):
    differ, silent = await compare(World(connection, metadata, OURS), OURS)
    assert differ == []
    assert silent == []


async def test_the_witnesses_know_a_bound_statement(beside):
    good = named(statement_shapes.GOOD)
    assert [s.where for s in good if await open_scans(beside, s, statement_shapes.metadata.tables)] == []
    differ, silent = await compare(World(beside, statement_shapes.metadata, good), good, rows=30)
    assert differ == []
    assert silent == []


async def test_the_witnesses_know_an_open_statement(beside):
    bad = [s for s in named(statement_shapes.UNBOUND) if await runs(beside, s)]
    assert len(bad) > 40
    planned = [s for s in bad if await open_scans(beside, s, statement_shapes.metadata.tables)]
    differ, _ = await compare(World(beside, statement_shapes.metadata, bad), bad, rows=20, acquire_timeout=20)
    assert {s.where for s in bad if s not in planned and s not in differ} == BOUND_AFTER_ALL


async def runs(connection, statement):
    """Some open shapes are no SQL at all."""
    try:
        await connection.prepare(statement.sql)
    except asyncpg.exceptions.PostgresError:
        return False
    return True
