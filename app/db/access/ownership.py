"""The ownership check: refuses every statement that could reach a row of another owner.

The check adds nothing to a statement. It reads the statement as SQLAlchemy built it, and refuses what it does not
understand. In every SELECT, UPDATE and DELETE, nested ones included, each table must be reached from `:owner` by
equalities of `owner_id` that always hold; every inserted row takes its `owner_id` from there as well.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql.dml import OnConflictDoUpdate
from sqlalchemy.sql import elements as el
from sqlalchemy.sql import operators
from sqlalchemy.sql import selectable as sel
from sqlalchemy.sql.dml import Delete, Insert, Update

from app.db.access import elements
from app.db.access.elements import DERIVED, STATEMENTS, WRAPPERS, NotOwned, assignments, children, froms

__all__ = ["NotOwned", "check", "check_read"]

BYTEWISE = {"C", "POSIX"}
Tables = frozenset[Any]
Scope = tuple[Any, Tables]
"""A statement, and the tables of the statements around it."""
Fact = tuple[Tables | None, Any, Any]
"""Two sides that are equal, and the tables that this may bind (None: any)."""


def check(element: Any) -> None:
    """Raises NotOwned unless every table in the statement is bound to `:owner`."""
    elements.check(element)
    _check_scope(element, frozenset(), set())


def check_read(element: Any) -> None:
    """Raises NotOwned unless the statement only reads: no write in a CTE, no lock."""
    if any(isinstance(node, (Insert, Update, Delete, sel.ForUpdateArg)) for node in elements.check(element)):
        raise NotOwned("a statement across owners may only read")


def _check_scope(element: Any, enclosing: Tables, checked: set[Scope]) -> None:
    """Checks one statement, then those nested in it; `correlate()` may refer to a table of `enclosing`.

    A nested statement is reached through each of its columns: `checked` has the scopes that need no second check.
    """
    while isinstance(element, (*WRAPPERS, sel.Subquery)):
        element = element.element
    if (element, enclosing) in checked:
        return
    checked.add((element, enclosing))
    own: Tables = frozenset()
    if isinstance(element, Insert):
        _check_insert(element)
    elif not isinstance(element, sel.CompoundSelect):
        own = _check_tables(element, enclosing)
    for node in _nested(element):
        if isinstance(node, sel.CTE):
            _check_scope(node.element, frozenset(), checked)
        elif isinstance(node, sel.Subquery):
            _check_scope(node.element, enclosing, checked)
        elif isinstance(node, sel.Lateral):
            _check_scope(node.element, enclosing | own, checked)
        else:
            _check_scope(node, enclosing | own, checked)


def _nested(element: Any) -> Iterator[Any]:
    """The statements and derived tables directly below a statement, each once."""
    seen: dict[int, Any] = {}
    pending = children(element)
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen[id(node)] = node
        if isinstance(node, (sel.CTE, sel.Subquery, sel.Lateral, *STATEMENTS)):
            yield node
        else:
            pending += children(node)


def _check_tables(element: Any, enclosing: Tables) -> Tables:
    """The tables of this scope. Raises NotOwned for one that is not bound."""
    if not isinstance(element, (sel.Select, Update, Delete)):
        raise NotOwned(f"{type(element).__name__} cannot be checked")
    if "owner_id" in assignments(element):
        raise NotOwned("a row never changes its owner")
    correlated = enclosing & frozenset(getattr(element, "_correlate", None) or ())
    scope = [item for item in froms(element) if item not in correlated]
    tables = [table for item in scope for table in _leaves(item)]
    bound = {"owner", *(t for t in tables if _is_derived(t)), *correlated.difference(tables)}
    facts: list[Fact] = [(None, *sides) for sides in _equalities(element._where_criteria)]
    facts += [fact for item in scope for fact in _join_facts(item)]
    while new := set(_newly_bound(facts, bound)):
        bound |= new
    if unbound := [str(t.name) for t in tables if t not in bound]:
        raise NotOwned(f"owner_id is not bound for {', '.join(unbound)}")
    return frozenset(tables)


def _newly_bound(facts: Iterable[Fact], bound: set[Any]) -> Iterator[Any]:
    for only, left, right in facts:
        for known, other in ((left, right), (right, left)):
            if known in bound and other not in bound and (only is None or other in only):
                yield other


def _check_insert(element: Insert) -> None:
    if element.select is not None:
        names = element._select_names or ()
        value = dict(zip(names, element.select.selected_columns, strict=True)).get("owner_id")
    else:
        value = assignments(element).get("owner_id")
    side = _side(value)
    if side != "owner" and (side is None or element.select is None):
        raise NotOwned(f"{element.table.name}.owner_id must be :owner")
    conflict = element._post_values_clause
    if isinstance(conflict, OnConflictDoUpdate):
        target = [getattr(c, "name", c) for c in conflict.inferred_target_elements or ()]
        changed = [getattr(c, "name", c) for c in conflict.update_values_to_set]
        if "owner_id" not in target or "owner_id" in changed:
            raise NotOwned("ON CONFLICT must name owner_id in its target, and must not set owner_id")


def _leaves(item: Any) -> list[Any]:
    """The tables and derived tables that a FROM element joins."""
    if isinstance(item, sel.Join):
        return _leaves(item.left) + _leaves(item.right)
    return _leaves(item.element) if isinstance(item, sel.FromGrouping) else [item]


def _is_derived(item: Any) -> bool:
    """True for a FROM element that is checked as a scope of its own, or that contains no stored rows."""
    while type(item) is sel.Alias:
        item = item.element
    return isinstance(item, DERIVED)


def _join_facts(item: Any) -> Iterator[Fact]:
    """The equalities of joins: the ON of an outer join binds only the nullable side, that of a full join neither."""
    if isinstance(item, sel.Join):
        yield from (*_join_facts(item.left), *_join_facts(item.right))
        if not item.full:
            only = frozenset(_leaves(item.right)) if item.isouter else None
            yield from ((only, *sides) for sides in _equalities([item.onclause]))
    elif isinstance(item, sel.FromGrouping):
        yield from _join_facts(item.element)


def _equalities(criteria: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Pairs that are equal whenever the criteria hold: nothing under OR, NOT or CASE."""
    for criterion in criteria:
        while isinstance(criterion, el.Grouping):
            criterion = criterion.element
        if isinstance(criterion, el.BooleanClauseList) and criterion.operator is operators.and_:
            yield from _equalities(criterion.clauses)
        elif isinstance(criterion, el.BinaryExpression) and criterion.operator is operators.eq:
            sides = _side(criterion.left), _side(criterion.right)
            if None not in sides:
                yield sides


def _is_bytewise(item: Any) -> bool:
    """True for a value with a collation under which equal values have equal bytes."""
    is_collated = isinstance(item, el.BinaryExpression) and item.operator is operators.collate
    return is_collated and isinstance(item.right, el.CollationClause) and item.right.collation in BYTEWISE


def _side(item: Any) -> Any:
    """`"owner"` for the parameter, or the FROM element whose `owner_id` this is; None for anything else."""
    while isinstance(item, el.Grouping) or _is_bytewise(item):
        item = item.element if isinstance(item, el.Grouping) else item.left
    if isinstance(item, el.BindParameter):
        return "owner" if item.key == "owner" and item.required else None
    if not isinstance(item, el.ColumnClause):
        return None
    stored = all(
        isinstance(base, Column) and isinstance(base.table, Table) and base.name == "owner_id"
        for base in item.base_columns
    )
    return item.table if stored and item.base_columns else None
