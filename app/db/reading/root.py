"""Reading one page of a connection at the root of the schema."""

from collections.abc import Mapping
from typing import Any

from app.db.access.database import Database
from app.db.access.statement import Statement
from app.db.access.transaction import Viewer
from app.db.reading.order import Order
from app.db.reading.page import Count, R, Slice, Window


async def read_page(
    db: Database,
    viewer: Viewer,
    page: Statement[R],
    count: Statement[Count],
    window: Window,
    order: Order,
    filters: Mapping[str, Any],
    only_page: Mapping[str, Any] | None = None,
) -> Slice[R]:
    """The rows in the window. Both statements take `filters` as parameters; `only_page` are the page's alone."""

    async def total() -> int:
        [row] = await db.fetch(viewer, count, **filters)
        return row.total

    rows = await db.fetch(viewer, page, **order.bounds(window), **filters, **(only_page or {}))
    return Slice.of(rows, window, total)
