"""The SQLAlchemy elements that a statement may consist of: everything else is refused, and nothing is raw SQL text."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from sqlalchemy import Table, exc
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from sqlalchemy.dialects.postgresql.dml import OnConflictDoNothing, OnConflictDoUpdate
from sqlalchemy.sql import elements as el
from sqlalchemy.sql import operators
from sqlalchemy.sql import selectable as sel
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.functions import FunctionElement, ScalarFunctionColumn

FUNCTIONS = frozenset(
    """
    array_agg array_to_tsvector avg char_length clock_timestamp coalesce colloquy_timeline count date_bin
    date_part exists greatest hashtextextended isfinite json_agg json_build_array json_build_object least left length
    lower max min normalize now nullif pg_advisory_xact_lock pg_control_system pg_current_snapshot pg_current_xact_id
    pg_is_in_recovery pg_postmaster_start_time pg_snapshot_xmax pg_snapshot_xmin replace right row_number split_part
    string_agg string_to_array strpos substr substring sum to_char to_tsquery to_tsvector ts_rank_cd unnest
    websearch_to_tsquery
    """.split()  # noqa: SIM905
)
# As a bound parameter, these would not match the condition or the expression of a partial index.
LITERALS = frozenset({"*", "1", "''", "'COMPLETE'", "'PENDING'", "'SYSTEM'", "'TOOL'"})
OPERATORS = frozenset({"@@", "@>", "&&", "||"})
RAW_ATTRIBUTES = ("_prefixes", "_suffixes", "_hints", "_statement_hints", "_multi_values")

DERIVED = (sel.Subquery, sel.CTE, sel.Lateral, sel.TableValuedAlias, sel.Values)
STATEMENTS = (sel.Select, sel.CompoundSelect, Insert, Update, Delete)
WRAPPERS = (sel.FromGrouping, sel.SelectStatementGrouping, el.Grouping)
KNOWN = (
    *STATEMENTS,
    *DERIVED,
    *WRAPPERS,
    *(Table, sel.Alias, sel.Join, sel.ScalarSelect, sel.Exists, sel.ForUpdateArg),
    *(OnConflictDoNothing, OnConflictDoUpdate, aggregate_order_by, array, FunctionElement, ScalarFunctionColumn),
    *(el.BinaryExpression, el.UnaryExpression, el.BooleanClauseList, el.ExpressionClauseList, el.ClauseList),
    *(el.BindParameter, el.ColumnClause, el.TableValuedColumn, el.Label, el.Cast, el.TypeCoerce, el.TypeClause),
    *(el.Extract, el.CollectionAggregate, el.Case, el.Tuple, el.Over, el.FunctionFilter, el.AggregateOrderBy),
    *(el.OrderByList, el.ElementList),
    *(el.Null, el.True_, el.False_, el.CollationClause, el._label_reference),
)


class NotOwned(exc.ArgumentError):
    """The statement leaves a table open to other owners' rows, or contains an element that cannot be checked."""


def check(element: Any) -> list[Any]:
    """All nodes of the statement. Raises NotOwned for one that is not known, or that contains raw SQL text."""
    nodes = list(_nodes(element))
    for node in nodes:
        if not isinstance(node, KNOWN):
            raise NotOwned(f"{type(node).__name__} cannot be checked")
        if raw := [name for name in RAW_ATTRIBUTES if getattr(node, name, None)]:
            raise NotOwned(f"{raw[0]} of {type(node).__name__} cannot be checked")
        _refuse_text(node)
    return nodes


def writes(element: Any) -> bool:
    """True if the statement, or a CTE in it, inserts, updates or deletes."""
    return any(isinstance(node, (Insert, Update, Delete)) for node in _nodes(element))


def returns(element: Any) -> bool:
    """True if the statement returns columns."""
    return not isinstance(element, (Insert, Update, Delete)) or bool(element._returning)


def children(node: Any) -> list[Any]:
    """The nodes directly below, including FROM elements that only a column implies."""
    if isinstance(node, Table):
        return []
    below = [*node.get_children(), *froms(node)]
    if isinstance(node, (OnConflictDoNothing, OnConflictDoUpdate)):
        below += [e for e in node.inferred_target_elements or () if isinstance(e, el.ClauseElement)]
    return below


def froms(node: Any) -> list[Any]:
    """The FROM elements of a SELECT, UPDATE or DELETE; the target table is one of them."""
    if isinstance(node, sel.Select):
        return _final_froms(node)
    if isinstance(node, (Update, Delete)):
        expressions = [*node._where_criteria, *assignments(node).values()]
        implied = [f for expression in expressions for f in getattr(expression, "_from_objects", ())]
        return list(dict.fromkeys([node.table, *getattr(node, "_extra_froms", ()), *implied]))
    return []


@cache
def _final_froms(select: sel.Select[Any]) -> list[Any]:
    """What `Select.get_final_froms` returns; that method compiles the whole statement first, a third of a start."""
    return list(sel.SelectState(select, None)._get_display_froms())  # type: ignore[arg-type]


def assignments(node: Any) -> dict[str, Any]:
    """The values that an INSERT or UPDATE sets, by column name."""
    return {getattr(column, "name", column): value for column, value in (getattr(node, "_values", None) or {}).items()}


def _refuse_text(node: Any) -> None:
    """Refuses a node that contains SQL, or the name of a function or operator, as unchecked text."""
    if isinstance(node, FunctionElement) and not isinstance(node, sel.TableValuedAlias):
        if getattr(node, "name", None) not in FUNCTIONS or getattr(node, "packagenames", None):
            raise NotOwned(f"function {getattr(node, 'name', node)} is not on the list")
    elif isinstance(node, el.ColumnClause) and node.is_literal and node.name not in LITERALS:
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
    """Every node once."""
    seen: dict[int, Any] = {}
    pending = [element]
    while pending:
        node = pending.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            yield node
            pending += children(node)
