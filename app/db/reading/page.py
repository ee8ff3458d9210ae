"""Keyset pages: an order, its cursors, and the slice of rows between two of them.

A cursor holds the order's values of one row, written by the statement itself as column `cursor`; it is opaque to
clients and parsed strictly. Forward and backward pages use the same bounds, so they agree under concurrent writes.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    TableValuedAlias,
    Text,
    bindparam,
    cast,
    column,
    extract,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.visitors import replacement_traverse
from sqlalchemy.types import TypeEngine

from app.db.access.database import Database, Row, Statement, Viewer, statement
from app.db.reading.rows import Entity
from app.db.tables.columns import Moment, Ordered, Uuid
from app.errors import BadInput
from app.limits import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE

R = TypeVar("R", bound=Entity)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LIMIT = bindparam("limit", type_=Integer)


@dataclass(frozen=True, slots=True)
class Window:
    """What a client asked of a connection: at most `limit` rows from one end, between two cursors."""

    limit: int
    backward: bool
    after: str | None
    before: str | None

    @classmethod
    def of(
        cls,
        first: int | None,
        after: str | None,
        last: int | None,
        before: str | None,
        *,
        newest: bool = False,
    ) -> "Window":
        """Refuses sizes outside 1..100 and both ends at once; without a size, `newest` says which end is meant."""
        if first is not None and last is not None:
            raise BadInput("Ask for first or for last, not for both.")
        for name, size in (("first", first), ("last", last)):
            if size is not None and not 1 <= size <= MAX_PAGE_SIZE:
                raise BadInput(f"{name} must be between 1 and {MAX_PAGE_SIZE}; it is {size}.")
        backward = last is not None or (newest and first is None)
        return cls(first or last or DEFAULT_PAGE_SIZE, backward, after, before)


@dataclass(slots=True)
class Slice(Generic[R]):
    """One page in the connection's order; `total` counts the whole connection, when somebody asks."""

    rows: list[R]
    has_next: bool
    has_previous: bool
    total: Callable[[], Awaitable[int]]

    @classmethod
    def of(cls, rows: list[R], window: Window, total: Callable[[], Awaitable[int]]) -> "Slice[R]":
        """From rows read nearest end first, one more than the window holds where there are more."""
        more = len(rows) > window.limit
        rows = rows[: window.limit]
        if window.backward:
            rows.reverse()
            return cls(rows, window.before is not None, more, total)
        return cls(rows, more, window.after is not None, total)


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an order: how its value looks in a cursor, and bounds that no row reaches."""

    column: ColumnElement[Any]
    kind: TypeEngine[Any]
    shown: ColumnElement[str]
    parse: Callable[[str], Any]
    low: Any
    high: Any


def _integer(text: str) -> int:
    value = int(text)
    if str(value) != text:
        raise ValueError(text)
    return value


def _moment(text: str) -> datetime:
    return EPOCH + timedelta(microseconds=_integer(text))


def _uuid(text: str) -> str:
    value = str(UUID(text))
    if value != text:
        raise ValueError(text)
    return value


def _rate(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value


def number(column: ColumnElement[int]) -> Key:
    """An integer above zero."""
    return Key(column, BigInteger(), cast(column, Text), _integer, 0, 2**31 - 1)


def time(column: ColumnElement[Any]) -> Key:
    """A time, in whole microseconds."""
    shown = cast(cast(extract("epoch", column) * 1_000_000, BigInteger), Text)
    return Key(column, Moment, shown, _moment, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def identity(column: ColumnElement[str]) -> Key:
    """A uuid."""
    return Key(column, Uuid, cast(column, Text), _uuid, str(UUID(int=0)), str(UUID(int=2**128 - 1)))


def words(column: ColumnElement[str]) -> Key:
    """A text of at most 255 characters, compared bytewise."""
    return Key(column, Ordered, column, str, "", "\U0010ffff" * 256)


def amount(column: ColumnElement[Decimal]) -> Key:
    """A decimal number, not below -1."""
    return Key(column, Numeric(), cast(column, Text), _rate, Decimal(-2), Decimal("Infinity"))


class Order:
    """A total order of rows: ascending or descending by `keys`, the last of which makes it unique."""

    def __init__(self, tag: str, keys: Sequence[Key], *, descending: bool = False) -> None:
        self.tag, self.keys, self.descending = f"{tag}.", keys, descending

    @cached_property
    def cursor(self) -> ColumnElement[str]:
        """The column that a page statement selects beside the row."""
        shown: ColumnElement[str] = self.keys[0].shown
        for key in self.keys[1:]:
            shown = shown.concat(".").concat(key.shown)
        return literal(self.tag, Text).concat(shown).label("cursor")

    def page(self, query: Select[Any], backward: bool) -> Select[Any]:
        """`query` between the two cursors, nearest end first, one row more than the window holds."""
        down = self.descending != backward
        after, before = self._position("after"), self._position("before")
        low, high = (before, after) if self.descending else (after, before)
        here = _together([key.column for key in self.keys])
        order = [key.column.desc() if down else key.column for key in self.keys]
        return query.add_columns(self.cursor).where(here > low, here < high).order_by(*order).limit(LIMIT)

    def bounds(self, window: Window) -> dict[str, Any]:
        """The parameters of `page`; a cursor of another order is refused."""
        low, high = [key.low for key in self.keys], [key.high for key in self.keys]
        ends = {"after": high if self.descending else low, "before": low if self.descending else high}
        bound: dict[str, Any] = {"limit": window.limit + 1}
        for name, cursor in (("after", window.after), ("before", window.before)):
            values = ends[name] if cursor is None else self._parse(name, cursor)
            bound |= {f"{name}_{place}": value for place, value in enumerate(values)}
        return bound

    def _position(self, name: str) -> ColumnElement[Any]:
        return _together([bindparam(f"{name}_{n}", type_=key.kind) for n, key in enumerate(self.keys)])

    def _parse(self, name: str, cursor: str) -> list[Any]:
        """Only what this order has written, in its canonical form."""
        parts = cursor.removeprefix(self.tag).rsplit(".", len(self.keys) - 1)
        try:
            if not cursor.startswith(self.tag) or len(parts) != len(self.keys) or "\0" in cursor:
                raise ValueError(cursor)
            cursor.encode()
            values = [key.parse(part) for key, part in zip(self.keys, parts, strict=True)]
            if not all(key.low < value < key.high for key, value in zip(self.keys, values, strict=True)):
                raise ValueError(cursor)
        except (ValueError, OverflowError, InvalidOperation):
            raise BadInput(f"{name} is not a cursor of this connection and order.") from None
        return values


def _together(columns: list[Any]) -> ColumnElement[Any]:
    return columns[0] if len(columns) == 1 else tuple_(*columns)


def parent_table(**kinds: Any) -> TableValuedAlias:
    """The parents that a loader asks for, one array a column; `place` is 1, 2, 3 ... in the order given."""
    binds = [bindparam(f"parent_{name}", type_=ARRAY(kind)) for name, kind in kinds.items()]
    columns = [column(name, kind) for name, kind in kinds.items()]
    return func.unnest(*binds).table_valued(*columns, with_ordinality="place", name="parents").render_derived()


def parent_arrays(names: Sequence[str], keys: Sequence[Any]) -> dict[str, list[Any]]:
    """The parameters of `parents(...)` for keys that are values or, of several columns, tuples."""
    if len(names) == 1:
        return {f"parent_{names[0]}": list(keys)}
    return {f"parent_{name}": [key[place] for key in keys] for place, name in enumerate(names)}


def for_one(names: Sequence[str], key: Any) -> dict[str, Any]:
    """The same for one key, as `Nested.alone` takes it."""
    return {f"parent_{name}": value for name, value in zip(names, (key,) if len(names) == 1 else key, strict=True)}


class Count(Row):
    """How many rows there are, of which parent where several were asked for."""

    parent: int
    total: int


async def read(
    db: Database,
    viewer: Viewer,
    page: Statement[R],
    count: Statement[Count],
    window: Window,
    order: Order,
    filters: Mapping[str, Any],
    shown: Mapping[str, Any] | None = None,
) -> Slice[R]:
    """One page of a connection at the root; both statements take the same filters, the page also `shown`."""

    async def total() -> int:
        [row] = await db.fetch(viewer, count, **filters)
        return row.total

    rows = await db.fetch(viewer, page, **order.bounds(window), **filters, **(shown or {}))
    return Slice.of(rows, window, total)


class Nested(Generic[R]):
    """A connection below many parents, read for all of them by one statement.

    `query` selects the children of `above`, a `parents(...)`; its rows name their parent by its place.
    """

    def __init__(
        self, query: Select[Any], row: type[R], order: Order, above: TableValuedAlias, partial: Collection[str] = ()
    ) -> None:
        self.order, self.row, self._partial = order, row, partial
        self.names = [column.name for column in above.c if column.name != "place"]
        self._query, self._above = query, above
        self._place = above.c.place.label("parent")
        self._pages: dict[bool, Statement[R]] = {}
        self._alone: dict[bool, Statement[R]] = {}

    def for_one(self, backward: bool) -> Statement[R]:
        """The statement of one direction for a single parent, whose columns are parameters: a third of the price."""
        if backward not in self._alone:
            bound = {id(column): bindparam(f"parent_{column.name}", type_=column.type) for column in self._above.c}
            query: Any = replacement_traverse(self._query, {}, lambda element, **_: bound.get(id(element)))
            self._alone[backward] = statement(self.order.page(query, backward), self.row, self._partial)
        return self._alone[backward]

    def page(self, backward: bool) -> Statement[R]:
        """The statement of one direction, built at its first use."""
        if backward not in self._pages:
            page = self.order.page(self._query.correlate(self._above), backward).lateral("page")
            keys = [page.c[key.column.key or ""] for key in self.order.keys]
            down = self.order.descending != backward
            query = select(page, self._place).select_from(self._above.join(page, true()))
            query = query.order_by(*(key.desc() if down else key for key in keys))
            self._pages[backward] = statement(query, self.row, self._partial)
        return self._pages[backward]

    @cached_property
    def count(self) -> Statement[Count]:
        """The statement of the totals."""
        total = self._query.correlate(self._above).with_only_columns(func.count().label("total")).lateral("counted")
        return statement(select(total, self._place).select_from(self._above.join(total, true())), Count)
