"""Reading one page of a connection at the root of the schema."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, TableValuedAlias, select, true

from app.db.access.reads import Reads
from app.db.access.statement import Statement
from app.db.access.transaction import Viewer
from app.db.reading.order import LIMIT, Order
from app.db.reading.page import Count, R, Slice, Window


def page_of_each(order: Order, query: Select[Any], values: TableValuedAlias, backward: bool) -> Select[Any]:
    """A page of rows for any of several values, each read in the order of the index that the value leads.

    The planner cannot do this for `= any(:values)`: it would read all rows in the order of the page instead.
    """
    page = order.page(query.correlate(values), backward).lateral("page")
    keys = [page.c[key.column.key or ""] for key in order.keys]
    merged = select(page).select_from(values.join(page, true()))
    return merged.order_by(*order.directed(keys, backward)).limit(LIMIT)


async def read_page(
    db: Reads,
    viewer: Viewer,
    page: Statement[R],
    count: Statement[Count],
    window: Window,
    bounds: Mapping[str, Any],
    filters: Mapping[str, Any],
    counted: Mapping[str, Any] | None = None,
) -> Slice[R]:
    """The rows within `bounds` of the order. Both statements take `filters`, unless the count takes `counted`."""

    async def total() -> int:
        [row] = await db.fetch(viewer, count, **(filters if counted is None else counted))
        return row.total

    rows = await db.fetch(viewer, page, **bounds, **filters)
    return Slice.of(rows, window, total)
