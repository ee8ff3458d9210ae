"""Checks that Citus can send every statement of an owner to the one node that has the owner's rows: exit 1 if not.

No database is needed. The rules are those of Citus 13 (`multi_router_planner.c`): see docs/decisions/0023-citus.md.
A new statement is checked unasked.
"""

import pkgutil
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from sqlalchemy import Select, Table
from sqlalchemy.sql import elements as el
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TableValuedAlias

import app.db
from app.db.access import elements, ownership
from app.db.access.statement import AcrossOwners, Query
from harness import statement_variants

# What these return, or lock, is that of the node on which they run: it must be the node of the owner's rows.
OF_THE_NODE = {
    *("pg_current_snapshot", "pg_snapshot_xmin", "pg_snapshot_xmax", "pg_current_xact_id", "pg_control_system"),
    *("colloquy_timeline", "pg_is_in_recovery", "pg_postmaster_start_time", "pg_advisory_xact_lock"),
}
IMMUTABLE, STABLE, VOLATILE = 1, 2, 3
# By name and number of arguments, of several functions the worst; all others that a statement may use are immutable.
# `tests/db/test_routing.py` compares both tables with a server.
NOT_IMMUTABLE = {
    ("clock_timestamp", 0): VOLATILE,
    ("colloquy_timeline", 0): STABLE,
    ("date_part", 2): STABLE,
    ("json_agg", 1): STABLE,
    ("json_build_array", 0): STABLE,
    ("json_build_array", 1): STABLE,
    ("json_build_object", 0): STABLE,
    ("json_build_object", 1): STABLE,
    ("length", 2): STABLE,
    ("now", 0): STABLE,
    ("pg_advisory_xact_lock", 1): VOLATILE,
    ("pg_advisory_xact_lock", 2): VOLATILE,
    ("pg_control_system", 0): VOLATILE,
    ("pg_current_snapshot", 0): STABLE,
    ("pg_current_xact_id", 0): STABLE,
    ("pg_is_in_recovery", 0): VOLATILE,
    ("pg_postmaster_start_time", 0): STABLE,
    ("to_char", 2): STABLE,
    ("to_tsquery", 1): STABLE,
    ("to_tsvector", 1): STABLE,
    ("websearch_to_tsquery", 1): STABLE,
}
VARIADIC = {"json_build_array", "json_build_object"}  # of any number of arguments, as it is with one
# Correct on the coordinator, and no tables of others are read there: the new rows come from arrays.
FROM_ARRAYS = {"message.append_many[insert]", "record.put", "session_totals.add", "session_totals.count"}
# On Citus a key is claimed in a transaction (`resolvers.append`).
PLAIN_ONLY = {"message.append_idempotent"}
ON_COORDINATOR = "INSERT ... SELECT runs on the coordinator"


def statements() -> dict[str, Query[Any]]:
    """Every statement that Citus runs, by name; of one with a second form its steps, and not the first form."""
    for module in pkgutil.walk_packages(app.db.__path__, "app.db."):
        import_module(module.name)
    found = statement_variants.registered().items()
    return {name: query for name, query in found if name not in PLAIN_ONLY and not getattr(query, "routed", ())}


def problems(queries: Iterable[Query[Any]]) -> list[str]:
    """A line for each reason why Citus cannot run one of the statements where the rows are."""
    found = []
    for query in queries:
        whys = across(query.element) if isinstance(query, AcrossOwners) else obstacles(query.element)
        found += [f"{query.name}: {why}" for why in whys if not _allowed(query, why)]
    return found


def _allowed(query: Query[Any], why: str) -> bool:
    return query.name in FROM_ARRAYS and why == ON_COORDINATOR


def across(element: Any) -> Iterator[str]:
    """Why a statement over the rows of all owners does not run on their nodes; empty if it does."""
    for node in elements._nodes(element):
        if isinstance(node, TableValuedAlias) and (of_the_node := _used(node) & OF_THE_NODE):
            yield f"{', '.join(sorted(of_the_node))} as a table is read on the coordinator; give scalar_table_valued"


def obstacles(element: Any) -> Iterator[str]:
    """Why Citus refuses the statement, or does not run it on the owner's node; empty if it does."""
    nodes = list(elements._nodes(element))
    writes = [node for node in nodes if isinstance(node, (Insert, Update, Delete))]
    yield from (f"{name} is not bound to :owner in its own scope" for name in _unbound(nodes))
    of_the_node = _used(element) & OF_THE_NODE
    if of_the_node and not any(isinstance(node, Table) for node in nodes):
        yield f"{', '.join(sorted(of_the_node))} runs on the coordinator, without a table"
    if of_the_node and writes:
        yield f"{', '.join(sorted(of_the_node))} in a write runs on the coordinator"
    for write in writes:
        if isinstance(write, Insert):
            yield from _of_insert(write, element)
        else:
            yield from _of_change(write)
        if mutable := {name for column in write._returning for name in _used(column, STABLE)}:
            yield f"RETURNING has {', '.join(sorted(mutable))}"


def _used(element: Any, at_least: int = IMMUTABLE) -> set[str]:
    """The names of the functions in an element that are at least as volatile as that."""
    functions = (node for node in elements._nodes(element) if isinstance(node, FunctionElement))
    return {_name(function) for function in functions if _volatility(function) >= at_least}


def _volatility(function: Any) -> int:
    name, arguments = _name(function), len(list(function.clauses))
    return NOT_IMMUTABLE.get((name, min(arguments, 1) if name in VARIADIC else arguments), IMMUTABLE)


def _name(function: Any) -> str:
    return str(getattr(function, "name", ""))


def _unbound(nodes: Iterable[Any]) -> Iterator[str]:
    """The tables that no equality with the parameter binds in the scope where they are: outer ones do not count."""
    for node in nodes:
        if not isinstance(node, (Select, Update, Delete)):
            continue
        correlated = getattr(node, "_correlate", None) or ()
        scope = [item for item in elements.froms(node) if item not in correlated]
        facts: list[ownership.Fact] = [(None, *sides) for sides in ownership._equalities(node._where_criteria)]
        facts += [fact for item in scope for fact in ownership._join_facts(item)]
        bound: set[Any] = {"owner"}
        while new := set(ownership._newly_bound(facts, bound)):
            bound |= new
        tables = [table for item in scope for table in ownership._leaves(item)]
        yield from (table.name for table in tables if table not in bound and not ownership._is_derived(table))


def _of_insert(insert: Insert, element: Any) -> Iterator[str]:
    if insert is not element:
        yield "an INSERT in a CTE runs on the coordinator"
    if insert.select is None:
        return
    yield ON_COORDINATOR
    conflict = insert._post_values_clause
    if any(isinstance(node, el.BindParameter) for value in _assigned(conflict) for node in elements._nodes(value)):
        yield "ON CONFLICT of INSERT ... SELECT has a parameter, whose type Citus does not know"


def _assigned(conflict: Any) -> list[Any]:
    """The values that ON CONFLICT DO UPDATE sets."""
    values = dict(getattr(conflict, "update_values_to_set", ()) or ())
    return [value for value in values.values() if isinstance(value, el.ClauseElement)]


def _of_change(change: Any) -> Iterator[str]:
    if volatile := _used(change, VOLATILE):
        yield f"{', '.join(sorted(volatile))} is volatile, in a change"
    for node in elements._nodes(change):
        conditional = isinstance(node, el.Case) or getattr(node, "name", None) == "coalesce"
        if conditional and (mutable := _used(node, STABLE)):
            yield f"CASE or COALESCE has {', '.join(sorted(mutable))}"
        if isinstance(node, FunctionElement) and _has_column(node) and _volatility(node) >= STABLE:
            yield f"{_name(node)} is not immutable, and takes a column"


def _has_column(node: Any) -> bool:
    return any(isinstance(inner, el.ColumnClause) and inner.table is not None for inner in elements._nodes(node))


def main() -> int:
    checked = statements()
    found = problems(checked.values())
    print(f"{len(checked)} statements run on the node of their owner")
    print(*found, sep="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
