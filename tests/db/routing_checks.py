"""What Citus refuses or does not send to one node, found in a statement on plain PostgreSQL.

The rules are those of Citus 13 (`multi_router_planner.c`): see docs/decisions/0023-citus.md.
"""

from sqlalchemy import Select, Table
from sqlalchemy.sql import elements as el
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.functions import FunctionElement

from app.db.access import elements, ownership

# What these return, or lock, is that of the node on which they run: it must be the node of the owner's rows.
OF_THE_NODE = {
    *("pg_current_snapshot", "pg_snapshot_xmin", "pg_snapshot_xmax", "pg_current_xact_id", "pg_control_system"),
    *("colloquy_timeline", "pg_is_in_recovery", "pg_postmaster_start_time", "pg_advisory_xact_lock"),
}
VOLATILITY = """
select proname, pronargs::int, max(array_position('{i,s,v}', provolatile)) from pg_proc group by proname, pronargs
"""
STABLE, VOLATILE = 2, 3


class Functions:
    """The volatility of every function of a server, by name and number of arguments; of several the worst."""

    def __init__(self, volatility):
        self._volatility = volatility

    @classmethod
    async def of(cls, connection):
        return cls({(name, count): worst for name, count, worst in await connection.fetch(VOLATILITY)})

    def used(self, element, at_least=0):
        """The names of the functions in an element that are at least as volatile as that."""
        functions = (node for node in elements._nodes(element) if isinstance(node, FunctionElement))
        return {function.name for function in functions if self.is_at_least(function, at_least)}

    def is_at_least(self, function, volatility):
        name = getattr(function, "name", None)
        return bool(name) and self._volatility.get((name, len(list(function.clauses))), 1) >= volatility


def obstacles(element, functions):
    """Why Citus refuses the statement, or does not run it on the owner's node; empty if it does."""
    nodes = list(elements._nodes(element))
    writes = [node for node in nodes if isinstance(node, (Insert, Update, Delete))]
    yield from (f"{name} is not bound to :owner in its own scope" for name in _unbound(nodes))
    of_the_node = functions.used(element) & OF_THE_NODE
    if of_the_node and not any(isinstance(node, Table) for node in nodes):
        yield f"{', '.join(sorted(of_the_node))} runs on the coordinator, without a table"
    if of_the_node and writes:
        yield f"{', '.join(sorted(of_the_node))} in a write runs on the coordinator"
    for write in writes:
        if isinstance(write, Insert):
            yield from _of_insert(write, element)
        else:
            yield from _of_change(write, functions)
        if mutable := {name for column in write._returning for name in functions.used(column, STABLE)}:
            yield f"RETURNING has {', '.join(sorted(mutable))}"


def _unbound(nodes):
    """The tables that no equality with the parameter binds in the scope where they are: outer ones do not count."""
    for node in nodes:
        if not isinstance(node, (Select, Update, Delete)):
            continue
        correlated = getattr(node, "_correlate", None) or ()
        scope = [item for item in elements.froms(node) if item not in correlated]
        facts: list[ownership.Fact] = [(None, *sides) for sides in ownership._equalities(node._where_criteria)]
        facts += [fact for item in scope for fact in ownership._join_facts(item)]
        bound = {"owner"}
        while new := set(ownership._newly_bound(facts, bound)):
            bound |= new
        tables = [table for item in scope for table in ownership._leaves(item)]
        yield from (table.name for table in tables if table not in bound and not ownership._is_derived(table))


def _of_insert(insert, element):
    if insert is not element:
        yield "an INSERT in a CTE runs on the coordinator"
    if insert.select is None:
        return
    yield "INSERT ... SELECT runs on the coordinator"
    conflict = insert._post_values_clause
    if any(isinstance(node, el.BindParameter) for value in assigned(conflict) for node in elements._nodes(value)):
        yield "ON CONFLICT of INSERT ... SELECT has a parameter, whose type Citus does not know"


def assigned(conflict):
    """The values that ON CONFLICT DO UPDATE sets."""
    values = dict(getattr(conflict, "update_values_to_set", ()) or ())
    return [value for value in values.values() if isinstance(value, el.ClauseElement)]


def _of_change(change, functions):
    if volatile := functions.used(change, VOLATILE):
        yield f"{', '.join(sorted(volatile))} is volatile, in a change"
    for node in elements._nodes(change):
        conditional = isinstance(node, el.Case) or getattr(node, "name", None) == "coalesce"
        if conditional and (mutable := functions.used(node, STABLE)):
            yield f"CASE or COALESCE has {', '.join(sorted(mutable))}"
        if isinstance(node, FunctionElement) and _has_column(node) and functions.is_at_least(node, STABLE):
            yield f"{node.name} is not immutable, and takes a column"


def _has_column(node):
    return any(isinstance(inner, el.ColumnClause) and inner.table is not None for inner in elements._nodes(node))
