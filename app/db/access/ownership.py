"""Refuses every statement that could touch a row of another owner.

Nothing is added to a statement: it is read as SQLAlchemy built it, and whatever is not understood is refused.
In every SELECT, UPDATE and DELETE, nested ones included, each table must be reached from `:owner` by
equalities of `owner_id` that always hold; every inserted row takes its `owner_id` from there as well.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from sqlalchemy import Column, Table, exc
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from sqlalchemy.dialects.postgresql.dml import OnConflictDoNothing, OnConflictDoUpdate
from sqlalchemy.sql import elements as el
from sqlalchemy.sql import operators
from sqlalchemy.sql import selectable as sel
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.functions import FunctionElement

FUNCTIONS = frozenset(
    """
    array_agg array_to_tsvector avg char_length clock_timestamp coalesce count exists greatest hashtextextended
    json_build_object least left length lower max min now nullif pg_advisory_xact_lock
    pg_control_system pg_current_snapshot pg_current_xact_id
    pg_snapshot_xmax pg_snapshot_xmin replace row_number string_agg string_to_array strpos substr sum to_char to_tsquery
    to_tsvector ts_headline ts_rank_cd unnest websearch_to_tsquery
    """.split()  # noqa: SIM905
)
OPERATORS = frozenset({"@@", "@>", "&&", "||"})
RAW = ("_prefixes", "_suffixes", "_hints", "_statement_hints", "_multi_values")

Tables = frozenset[Any]
Fact = tuple[Tables | None, Any, Any]  # which tables it may bind (None: any), and the two sides found equal

_DERIVED = (sel.Subquery, sel.CTE, sel.Lateral, sel.TableValuedAlias, sel.Values)
_STATEMENTS = (sel.Select, sel.CompoundSelect, Insert, Update, Delete)
_WRAPPERS = (sel.FromGrouping, sel.SelectStatementGrouping, el.Grouping)
_KNOWN = (
    *_STATEMENTS,
    *_DERIVED,
    *_WRAPPERS,
    *(Table, sel.Alias, sel.Join, sel.ScalarSelect, sel.Exists, sel.ForUpdateArg),
    *(OnConflictDoNothing, OnConflictDoUpdate, aggregate_order_by, array, FunctionElement),
    *(el.BinaryExpression, el.UnaryExpression, el.BooleanClauseList, el.ExpressionClauseList, el.ClauseList),
    *(
        el.BindParameter,
        el.ColumnClause,
        el.TableValuedColumn,
        el.Label,
        el.Cast,
        el.TypeCoerce,
        el.TypeClause,
    ),
    *(
        el.Extract,
        el.CollectionAggregate,
        el.Case,
        el.Tuple,
        el.Over,
        el.FunctionFilter,
        el.AggregateOrderBy,
        el.OrderByList,
        el.ElementList,
    ),
    *(el.Null, el.True_, el.False_, el.CollationClause, el._label_reference),
)


class NotOwned(exc.ArgumentError):
    """The statement leaves a table open to other owners' rows, or cannot be understood."""


def check(element: Any) -> None:
    """Raises NotOwned unless every table in the statement is bound to `:owner`."""
    _vet(element)
    _scope(element, frozenset())


def check_read(element: Any) -> None:
    """Raises NotOwned unless the statement only reads: no write in a CTE, no lock."""
    if any(isinstance(node, (Insert, Update, Delete, sel.ForUpdateArg)) for node in _vet(element)):
        raise NotOwned("across owners there is only reading")


def writes(element: Any) -> bool:
    """Whether running it twice could differ from running it once."""
    return any(isinstance(node, (Insert, Update, Delete)) for node in _nodes(element))


def _vet(element: Any) -> list[Any]:
    nodes = list(_nodes(element))
    for node in nodes:
        if not isinstance(node, _KNOWN):
            raise NotOwned(f"{type(node).__name__} cannot be checked")
        if raw := [name for name in RAW if getattr(node, name, None)]:
            raise NotOwned(f"{raw[0]} of {type(node).__name__} cannot be checked")
        _vet_text(node)
    return nodes


def _vet_text(node: Any) -> None:
    """Refuses what carries SQL, or the name of something, as plain text."""
    if isinstance(node, FunctionElement) and not isinstance(node, sel.TableValuedAlias):
        if getattr(node, "name", None) not in FUNCTIONS or getattr(node, "packagenames", None):
            raise NotOwned(f"function {getattr(node, 'name', node)} is not on the list")
    elif isinstance(node, el.ColumnClause) and node.is_literal and node.name not in ("*", "1"):
        raise NotOwned(f"raw SQL cannot be checked: {node}")
    elif isinstance(node, el.Extract) and node.field != "epoch":
        raise NotOwned(f"extract({node.field}) is not on the list")
    elif isinstance(node, el.BindParameter) and (node.expanding or node.literal_execute or node.callable):
        raise NotOwned("an IN list, a literal or a callable has no fixed text: bind it, a list as = any_(:list)")
    for attribute in ("operator", "modifier"):
        custom = getattr(node, attribute, None)
        if isinstance(custom, operators.custom_op) and custom.opstring not in OPERATORS:
            raise NotOwned(f"operator {custom.opstring} is not on the list")


def _nodes(element: Any) -> Iterator[Any]:
    """Every node once, the FROM elements that are only implied by a column included."""
    seen: dict[int, Any] = {}
    todo = [element]
    while todo:
        node = todo.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            yield node
            todo += _children(node)


def _children(node: Any) -> list[Any]:
    if isinstance(node, Table):
        return []
    children = [*node.get_children(), *_froms(node)]
    if isinstance(node, (OnConflictDoNothing, OnConflictDoUpdate)):
        children += [e for e in node.inferred_target_elements or () if isinstance(e, el.ClauseElement)]
    return children


def _froms(node: Any) -> list[Any]:
    if isinstance(node, sel.Select):
        return _final_froms(node)
    if isinstance(node, (Update, Delete)):
        parts = [*node._where_criteria, *_values(node).values()]
        implied = [f for part in parts for f in getattr(part, "_from_objects", ())]
        return list(dict.fromkeys([node.table, *getattr(node, "_extra_froms", ()), *implied]))
    return []


@cache
def _final_froms(select: sel.Select[Any]) -> list[Any]:
    """What `Select.get_final_froms` returns; that method compiles the whole statement first, a third of a start."""
    return list(sel.SelectState(select, None)._get_display_froms())  # type: ignore[arg-type]


def _values(node: Any) -> dict[str, Any]:
    """What an INSERT or UPDATE sets, by column name."""
    return {getattr(column, "name", column): value for column, value in (getattr(node, "_values", None) or {}).items()}


def _scope(element: Any, enclosing: Tables) -> None:
    """One statement on its own, then those nested in it; `enclosing` may be named by `correlate()`."""
    while isinstance(element, (*_WRAPPERS, sel.Subquery)):
        element = element.element
    own: Tables = frozenset()
    if isinstance(element, Insert):
        _check_insert(element)
    elif not isinstance(element, sel.CompoundSelect):
        own = _check_tables(element, enclosing)
    todo = _children(element)
    while todo:
        node = todo.pop()
        if isinstance(node, sel.CTE):
            _scope(node.element, frozenset())
        elif isinstance(node, sel.Subquery):
            _scope(node.element, enclosing)
        elif isinstance(node, sel.Lateral):
            _scope(node.element, enclosing | own)
        elif isinstance(node, _STATEMENTS):
            _scope(node, enclosing | own)
        else:
            todo += _children(node)


def _check_tables(element: Any, enclosing: Tables) -> Tables:
    """The tables of this scope, each of them found bound."""
    if not isinstance(element, (sel.Select, Update, Delete)):
        raise NotOwned(f"{type(element).__name__} cannot be checked")
    if "owner_id" in _values(element):
        raise NotOwned("a row never changes its owner")
    correlated = enclosing & frozenset(getattr(element, "_correlate", None) or ())
    froms = [f for f in _froms(element) if f not in correlated]
    tables = [table for f in froms for table in _leaves(f)]
    bound = {"owner", *(t for t in tables if _is_derived(t)), *correlated.difference(tables)}
    facts: list[Fact] = [(None, *sides) for sides in _equalities(element._where_criteria)]
    facts += [fact for f in froms for fact in _join_facts(f)]
    while new := set(_bound_next(facts, bound)):
        bound |= new
    if unbound := [str(t.name) for t in tables if t not in bound]:
        raise NotOwned(f"owner_id is not bound for {', '.join(unbound)}")
    return frozenset(tables)


def _bound_next(facts: Iterable[Fact], bound: set[Any]) -> Iterator[Any]:
    for only, left, right in facts:
        for known, other in ((left, right), (right, left)):
            if known in bound and other not in bound and (only is None or other in only):
                yield other


def _check_insert(element: Insert) -> None:
    if element.select is not None:
        names = element._select_names or ()
        given = dict(zip(names, element.select.selected_columns, strict=True)).get("owner_id")
    else:
        given = _values(element).get("owner_id")
    side = _side(given)
    if side != "owner" and (side is None or element.select is None):
        raise NotOwned(f"{element.table.name}.owner_id must be :owner")
    conflict = element._post_values_clause
    if isinstance(conflict, OnConflictDoUpdate):
        target = [getattr(c, "name", c) for c in conflict.inferred_target_elements or ()]
        changed = [getattr(c, "name", c) for c in conflict.update_values_to_set]
        if "owner_id" not in target or "owner_id" in changed:
            raise NotOwned("ON CONFLICT must name owner_id in its target and leave it alone")


def _leaves(item: Any) -> list[Any]:
    if isinstance(item, sel.Join):
        return _leaves(item.left) + _leaves(item.right)
    return _leaves(item.element) if isinstance(item, sel.FromGrouping) else [item]


def _is_derived(item: Any) -> bool:
    """A FROM element that is checked as a scope of its own, or holds no stored rows."""
    while type(item) is sel.Alias:
        item = item.element
    return isinstance(item, _DERIVED)


def _join_facts(item: Any) -> Iterator[Fact]:
    """An outer join's ON binds only the side that may be missing, a full join's neither."""
    if isinstance(item, sel.Join):
        yield from (*_join_facts(item.left), *_join_facts(item.right))
        if not item.full:
            only = frozenset(_leaves(item.right)) if item.isouter else None
            yield from ((only, *sides) for sides in _equalities([item.onclause]))
    elif isinstance(item, sel.FromGrouping):
        yield from _join_facts(item.element)


def _equalities(criteria: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Pairs that are equal whenever the criteria hold: nothing under OR, NOT or CASE."""
    for part in criteria:
        while isinstance(part, el.Grouping):
            part = part.element
        if isinstance(part, el.BooleanClauseList) and part.operator is operators.and_:
            yield from _equalities(part.clauses)
        elif isinstance(part, el.BinaryExpression) and part.operator is operators.eq:
            sides = _side(part.left), _side(part.right)
            if None not in sides:
                yield sides


def _side(item: Any) -> Any:
    """`"owner"` for the parameter, or the FROM element whose `owner_id` this is; None for anything else."""
    if isinstance(item, el.BindParameter):
        return "owner" if item.key == "owner" and item.required else None
    if not isinstance(item, el.ColumnClause):
        return None
    stored = all(
        isinstance(base, Column) and isinstance(base.table, Table) and base.name == "owner_id"
        for base in item.base_columns
    )
    return item.table if stored and item.base_columns else None
