"""Statements on the namespaces of records, which are the beginnings of the paths of an owner's records.

A statement steps from one namespace to the next in the primary key: it reads the first record of each, and skips all
others. So it costs what there is of namespaces, and not of records.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Subquery,
    Text,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    true,
)

from app.db.access.reads import Reads
from app.db.access.statement import Statement, statement, variant
from app.db.access.transaction import Viewer
from app.db.reading.order import LIMIT, Order, SortKey, direction
from app.db.reading.page import Count, Slice, Window
from app.db.reading.root import read_page
from app.db.reading.rows import RecordNamespaceRow
from app.db.record import IN_RANGE, NOT_EXPIRED
from app.db.tables import records
from app.db.tables.columns import BytewiseText
from app.record_path import AFTER_LABEL_END, HIGHEST, KEY_START, LABEL_END

r = records.c
PATTERN, SUFFIX = bindparam("pattern", type_=Text), bindparam("suffix", type_=Text)
AFTER, BEFORE = bindparam("after_0", type_=BytewiseText), bindparam("before_0", type_=BytewiseText)


def _text(constant: str) -> ColumnElement[str]:
    return literal(constant, BytewiseText)


def _shortened(path: ColumnElement[str]) -> ColumnElement[str]:
    """As many labels as the pattern takes, with their ends: what two records below the same namespace share."""
    return func.substring(path, PATTERN, type_=BytewiseText)


def _end(prefix: ColumnElement[str]) -> ColumnElement[str]:
    """The first path behind those that `_shortened` makes `prefix`.

    These are all paths below it if it has as many labels as the pattern takes, or else the records in it.
    """
    behind_records = prefix.concat(_text(LABEL_END))
    behind_all = func.left(prefix, literal(-1, Integer), type_=BytewiseText).concat(_text(AFTER_LABEL_END))
    return case((_shortened(behind_records) == prefix, behind_all), else_=behind_records)


def _first(backward: bool, *conditions: ColumnElement[bool]) -> Select[Any]:
    """The first record from one end of the range: its namespace, whole and shortened."""
    namespace = func.split_part(r.path, KEY_START, 1, type_=BytewiseText).label("namespace")
    columns: list[ColumnElement[Any]] = [namespace, _shortened(r.path).label("prefix")]
    order = r.path.desc() if backward else r.path
    return select(*columns).where(IN_RANGE, NOT_EXPIRED, *conditions).order_by(order).limit(literal(1, Integer))


def _step(first: FromClause, number: ColumnElement[int], backward: bool) -> Select[Any]:
    """Whether the namespace of a record is requested; how many there have been; and where the next may be."""
    namespace, prefix = first.c.namespace, first.c.prefix
    ending = func.right(_text(LABEL_END).concat(namespace), func.char_length(SUFFIX))
    is_requested = or_(SUFFIX.is_(None), ending == SUFFIX)
    others = namespace if backward else namespace.concat(_text(LABEL_END))
    return select(
        prefix,
        is_requested.label("is_requested"),
        (number + case((is_requested, 1), else_=0)).label("number"),
        case((is_requested, prefix if backward else _end(prefix)), else_=others).label("next"),
    )


def _requested(backward: bool, *within: ColumnElement[bool], limit: ColumnElement[int] | None = None) -> Subquery:
    """The requested namespaces, at most `limit` from one end."""
    first = _first(backward, *within).subquery("first")
    steps = _step(first, literal(0, Integer), backward).cte("steps", recursive=True)
    onward = r.path < steps.c.next if backward else r.path >= steps.c.next
    following = _first(backward, *within, onward).correlate(steps).lateral("following")
    step = _step(following, steps.c.number, backward).select_from(steps.join(following, true()))
    steps = steps.union_all(step if limit is None else step.where(steps.c.number < limit))
    return select(steps.c.prefix).where(steps.c.is_requested).subquery("namespaces")


def _order(namespaces: Subquery) -> Order:
    return Order("prefix", "n", (SortKey(namespaces.c.prefix, BytewiseText, namespaces.c.prefix, str, "", HIGHEST),))


IN_SOME_NAMESPACE = r.path >= _text(LABEL_END)  # a record in the root has no namespace
ALL = _requested(False, IN_SOME_NAMESPACE)
PAGES = {
    backward: _requested(backward, r.path >= _end(AFTER), r.path < BEFORE, limit=LIMIT) for backward in (False, True)
}
COUNT = statement(
    "record_namespace.count",
    "The number of namespaces below a namespace.",
    select(func.count().label("total")).select_from(ALL),
    Count,
    custom_plan=True,
)


@cache
def _page(backward: bool) -> Statement[RecordNamespaceRow]:
    namespaces = PAGES[backward]
    return statement(
        variant("record_namespace.page", direction(backward)),
        "A page of the namespaces below a namespace.",
        _order(namespaces).page(select(namespaces.c.prefix), backward),
        RecordNamespaceRow,
        custom_plan=True,
    )


async def page(db: Reads, viewer: Viewer, window: Window, filters: Mapping[str, Any]) -> Slice[RecordNamespaceRow]:
    """One page of the namespaces of the viewer's records; `filters`: low, high, pattern and suffix."""
    bounds = _order(PAGES[window.backward]).bounds(window)
    return await read_page(db, viewer, _page(window.backward), COUNT, window, bounds, filters)
