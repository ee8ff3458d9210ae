"""Every statement can be sent to the one node of its owner, by the rules of Citus; no cluster is needed."""

import asyncpg
import pytest
from sqlalchemy import case, delete, func, insert, literal, select, update
from sqlalchemy.dialects import postgresql

from app.db.access.elements import FUNCTIONS
from app.db.access.statement import OWNER
from app.db.viewer_changes import AT_OWNER
from harness import statement_variants
from harness.postgres import dsn
from scripts.routing import NOT_IMMUTABLE, across, obstacles, problems, statements
from tests.db.statement_shapes import S, m, s

VOLATILITY = """
select proname, pronargs::int, max(array_position('{i,s,v}', provolatile)) from pg_proc
where proname = any($1::text[]) group by proname, pronargs having max(array_position('{i,s,v}', provolatile)) > 1
"""
BOUND = s.owner_id == OWNER
SCALAR = select(func.count()).where(m.owner_id == s.owner_id, m.session_id == s.id).correlate(S).scalar_subquery()
NEW_SESSION = {"owner_id": OWNER, "id": literal("1")}
REFUSED = {
    "a scope that is bound from outside": (select(S.c.id, SCALAR).where(BOUND), "messages is not bound"),
    "a snapshot without a table": (select(func.pg_current_snapshot()), "without a table"),
    "a lock without a table": (select(func.pg_advisory_xact_lock(1)), "without a table"),
    "a snapshot in a write": (update(S).where(BOUND).values(title=func.pg_current_snapshot()), "in a write"),
    "a volatile function": (
        update(S).where(BOUND).values(last_activity_at=func.clock_timestamp()),
        "clock_timestamp is vol",
    ),
    "now() in CASE": (
        update(S).where(BOUND).values(last_activity_at=case((s.id == "1", func.now()))),
        "CASE or COALESCE has",
    ),
    "now() in COALESCE": (
        update(S).where(BOUND).values(last_activity_at=func.coalesce(None, func.now())),
        "COALESCE has now",
    ),
    "now() in RETURNING": (
        delete(S).where(BOUND).returning((s.last_activity_at > func.now()).label("x")),
        "RETURNING has now",
    ),
    "a stable function of a column": (
        update(S).where(BOUND, func.to_char(s.last_activity_at, "Y") == "1"),
        "takes a column",
    ),
    "an INSERT in a CTE": (select(insert(S).values(NEW_SESSION).returning(s.id).cte("new")), "INSERT in a CTE"),
    "INSERT ... SELECT": (
        insert(S).from_select(["owner_id", "id"], select(s.owner_id, s.id).where(BOUND)),
        "INSERT ..",
    ),
}

_new = postgresql.insert(S).from_select(["owner_id", "id"], select(s.owner_id, s.id).where(BOUND))
REFUSED["a parameter in ON CONFLICT"] = (
    _new.on_conflict_do_update(index_elements=["owner_id", "id"], set_={"title": literal("x")}),
    "has a parameter",
)


def test_every_statement_runs_on_the_node_of_its_owner():
    found = statements()
    assert len(found) > 240
    assert problems(found.values()) == []


async def test_the_check_knows_the_volatility_of_every_function_that_a_statement_may_use(database_url):
    connection = await asyncpg.connect(dsn(database_url))
    found = {(name, count): worst for name, count, worst in await connection.fetch(VOLATILITY, sorted(FUNCTIONS))}
    await connection.close()
    assert found == NOT_IMMUTABLE


def test_a_second_form_takes_the_parameters_of_the_first():
    second = [query for query in statement_variants.registered().values() if getattr(query, "routed", ())]
    assert len(second) > 5
    for query in second:
        returned = {column for step in query.routed for column in returned_columns(step.statement)}
        needed = {name for step in query.routed for name in step.statement.parameters}
        assert needed - returned <= query.parameters.keys(), query.name


def returned_columns(statement):
    element = statement.element
    columns = element.selected_columns if hasattr(element, "selected_columns") else element._returning
    return {column.key for column in columns}


@pytest.mark.parametrize("shape", REFUSED)
def test_what_citus_refuses_is_found(shape):
    element, why = REFUSED[shape]
    assert any(why in found for found in obstacles(element)), list(obstacles(element))


def test_a_function_of_the_node_is_no_table_in_a_statement_across_owners():
    function = func.pg_control_system()
    table = function.table_valued("system_identifier")
    bad = select(m.session_id).where(m.sequence == table.c.system_identifier)
    good = select(m.session_id).where(m.sequence == function.scalar_table_valued("system_identifier"))
    assert [list(across(element)) for element in (bad, good)] == [
        ["pg_control_system as a table is read on the coordinator; give scalar_table_valued"],
        [],
    ]


def test_what_citus_accepts_is_not_found():
    for element in (
        select(func.pg_current_snapshot()).select_from(AT_OWNER),
        update(S)
        .where(BOUND, s.last_activity_at < func.now())
        .values(last_activity_at=func.greatest(s.last_activity_at, func.now())),
        insert(S).values(NEW_SESSION).returning(s.id),
        select(delete(S).where(BOUND).returning(s.id).cte("deleted")),
    ):
        assert list(obstacles(element)) == []
