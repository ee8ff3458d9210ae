"""The cost of every statement grows only as its bound allows. New statements are covered without being named here."""

import pkgutil
from collections import defaultdict
from importlib import import_module

import pytest
from sqlalchemy import Text, bindparam, func, select

import app.db
from app.db.access.bounds import Bound
from app.db.access.statement import OWNER, AcrossOwners, Row, Statement
from app.db.tables import messages, sessions
from harness import statement_variants
from harness.postgres import connected, databases
from harness.strict_postgres import strict_postgres
from tests.db.declared_bounds import BOUNDS, KNOWN_TO_GROW, KNOWN_TO_GROW_BEFORE_17
from tests.db.plan_bounds import ALLOWED, CIRCUMSTANCES, D, Measurements
from tests.support.invariants import assert_nothing_broken

pytestmark = [
    pytest.mark.xdist_group("plan bounds"),
    pytest.mark.timeout(600),
    pytest.mark.plain_postgresql("a connection counts its own buffers, and a process of the node touches them"),
]
m, s = messages.c, sessions.c
MEASURED_ON = 18  # the version of the list KNOWN_TO_GROW
# What the measurements must notice, and what they cannot run.
SAMPLES = {
    D.OTHER_OWNERS: AcrossOwners(
        "test_sample.messages", "How many messages have no document.", select(func.count()).where(m.raw.is_(None)), Row
    ),
    D.SESSIONS: Statement(
        "test_sample.title",
        "The sessions of a title.",
        select(s.id).where(s.owner_id == OWNER, func.lower(s.title) == bindparam("title")),
        Row,
    ),
    D.SESSION: Statement(
        "test_sample.raw",
        "The messages of a session without a document.",
        select(func.count()).where(m.owner_id == OWNER, m.session_id == bindparam("session_id"), m.raw.is_(None)),
        Row,
    ),
}
UNKNOWN = Statement(
    "test_sample.unknown",
    "A parameter that is no column.",
    select(s.id).where(s.owner_id == OWNER, s.title == bindparam("colour", type_=Text)),
    Row,
)


@pytest.fixture(scope="module")
def registered():
    """Every statement by name, but for the variants with fewer columns: they read the rows of the full statement."""
    for module in pkgutil.walk_packages(app.db.__path__, "app.db."):
        import_module(module.name)
    queries = statement_variants.registered()
    partial = {query.partial.name for query in queries.values() if getattr(query, "partial", query) is not query}
    return {name: query for name, query in queries.items() if name not in partial}


async def measure(fresh_database, registered):
    bounded = [query for name, query in registered.items() if BOUNDS.get(name) is not Bound.EVERYTHING]
    measurements = Measurements([*bounded, *SAMPLES.values(), UNKNOWN])
    for circumstances in CIRCUMSTANCES:
        await measurements.measure(await fresh_database(), circumstances)
    return measurements


@pytest.fixture(scope="module")
async def measured(fresh_database, registered):
    return await measure(fresh_database, registered)


async def version(url):
    """PostgreSQL's major version."""
    async with connected(url) as connection:
        return connection.get_server_version().major


def declaration(name):
    """The name that a bound is declared under: the statement's own, or that of all its variants."""
    return name if name in BOUNDS else name.partition("[")[0]


def grown(measured):
    """By declaration, each dimension that the statement or a variant grows with, though its bound excludes that."""
    found = defaultdict(dict)
    for growth in measured.growth:
        declared = declaration(growth.name)
        if growth.exists and declared in BOUNDS and growth.dimension not in ALLOWED[BOUNDS[declared]]:
            worst = found[declared].setdefault(growth.dimension, growth)
            if growth.many > worst.many:
                found[declared][growth.dimension] = growth
    return found


def test_every_statement_has_a_bound_and_every_bound_a_statement(registered):
    declared = {declaration(name) for name in registered}
    assert declared - BOUNDS.keys() == set()
    assert BOUNDS.keys() - declared == set()
    assert KNOWN_TO_GROW.keys() - BOUNDS.keys() == set()


def test_every_statement_can_be_measured(measured):
    problems = {name: problem for name, problem in measured.problems.items() if not name.startswith("test_")}
    assert problems == {}


async def assert_nothing_grows(measured, major):
    older = KNOWN_TO_GROW_BEFORE_17 if major < 17 else {}
    unexpected = [
        growth
        for name, by_dimension in grown(measured).items()
        for dimension, growth in by_dimension.items()
        if dimension not in KNOWN_TO_GROW.get(name, set()) | older.get(name, set())
    ]
    assert not unexpected, "\n".join([await growth.plan() for growth in unexpected])


async def test_no_statement_grows_with_what_its_bound_excludes(measured, database_url):
    await assert_nothing_grows(measured, await version(database_url))


@pytest.mark.xdist_group("plan bounds of the system's PostgreSQL")
async def test_nor_on_the_postgresql_of_the_system_which_is_often_older(registered):
    with strict_postgres() as server:
        async with databases(server.admin) as fresh_database:
            measured = await measure(fresh_database, registered)
            assert measured.problems.keys() == {UNKNOWN.name}
            await assert_nothing_grows(measured, await version(server.admin))


async def test_known_growth_is_still_there(measured, database_url):
    if (found := await version(database_url)) < MEASURED_ON:
        pytest.skip(f"PostgreSQL {found} finds some of the rows by a better index")
    found = grown(measured)
    mended = {name: dimensions - found[name].keys() for name, dimensions in KNOWN_TO_GROW.items()}
    assert {name: dimensions for name, dimensions in mended.items() if dimensions} == {}, "take these off the list"


async def test_the_generated_data_break_no_invariant_and_the_measurements_change_nothing(measured):
    for url in {growth.url for growth in measured.growth}:
        await assert_nothing_broken(url)


@pytest.mark.parametrize("dimension", SAMPLES)
def test_the_measurements_notice_growth(measured, dimension):
    name = SAMPLES[dimension].name
    assert dimension in {growth.dimension for growth in measured.growth if growth.name == name and growth.exists}


def test_the_measurements_refuse_a_parameter_without_a_value(measured):
    assert ":colour" in measured.problems[UNKNOWN.name]


def test_a_bound_allows_growth_only_with_what_it_names():
    assert D.OTHER_OWNERS not in set().union(*(ALLOWED[bound] for bound in Bound if bound is not Bound.EVERYTHING))
