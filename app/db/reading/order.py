"""Keyset orders: sort keys, the cursor of a row, and the bounds of a page between two cursors.

A cursor contains the order's values of one row. The statement itself writes the cursor, as the column `cursor`; the
cursor is opaque to clients, and parsing accepts only what the order has written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    Text,
    bindparam,
    cast,
    extract,
    literal,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from app.db.reading.page import Window
from app.db.tables.columns import BytewiseText, Timestamp, Uuid
from app.errors import BadInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LIMIT = bindparam("limit", type_=Integer)


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of an order: its text in a cursor, the parser of that text, and bounds that no row's value reaches."""

    column: ColumnElement[Any]
    type: TypeEngine[Any]
    as_text: ColumnElement[str]
    parse: Callable[[str], Any]
    low: Any
    high: Any


def integer_key(column: ColumnElement[int]) -> SortKey:
    """An integer above zero."""
    return SortKey(column, BigInteger(), cast(column, Text), _integer, 0, 2**31 - 1)


def time_key(column: ColumnElement[Any]) -> SortKey:
    """A time, in whole microseconds since 1970."""
    as_text = cast(cast(extract("epoch", column) * 1_000_000, BigInteger), Text)
    return SortKey(
        column, Timestamp, as_text, _time, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    )


def uuid_key(column: ColumnElement[str]) -> SortKey:
    """A uuid."""
    return SortKey(column, Uuid, cast(column, Text), _uuid, str(UUID(int=0)), str(UUID(int=2**128 - 1)))


def text_key(column: ColumnElement[str]) -> SortKey:
    """A text of at most 255 characters, compared bytewise."""
    return SortKey(column, BytewiseText, column, str, "", "\U0010ffff" * 256)


def decimal_key(column: ColumnElement[Decimal]) -> SortKey:
    """A decimal number, not below -1."""
    return SortKey(column, Numeric(), cast(column, Text), _decimal, Decimal(-2), Decimal("Infinity"))


def direction(backward: bool) -> str:
    """The direction of a page, in the name of its statement."""
    return "backward" if backward else "forward"


class Order:
    """A total order of rows, ascending or descending by `keys`, the last of which makes it unique.

    `name` is part of the names of its statements; `tag` begins its cursors, so that a cursor of another order is
    refused.
    """

    def __init__(self, name: str, tag: str, keys: Sequence[SortKey], *, descending: bool = False) -> None:
        self.name, self.tag, self.keys, self.descending = name, f"{tag}.", keys, descending

    @cached_property
    def cursor(self) -> ColumnElement[str]:
        """The column `cursor` of a page."""
        values = self.keys[0].as_text
        for key in self.keys[1:]:
            values = values.concat(".").concat(key.as_text)
        return literal(self.tag, Text).concat(values).label("cursor")

    def page(
        self,
        query: Select[Any],
        backward: bool,
        within: Sequence[tuple[ColumnElement[Any], ColumnElement[Any]]] = (),
    ) -> Select[Any]:
        """`query` between two cursors, nearest end first, with one row more than the window holds.

        `within` are pairs of a column and its value: the page is within the rows that have these values. The condition
        and the order begin with these columns, so that only an index that begins with them can serve both.
        """
        columns, values = [column for column, _ in within], [value for _, value in within]
        after, before = self._bound("after", values), self._bound("before", values)
        low, high = (before, after) if self.descending else (after, before)
        columns += [key.column for key in self.keys]
        position = _row_value(columns)
        order = self.directed(columns, backward)
        return query.add_columns(self.cursor).where(position > low, position < high).order_by(*order).limit(LIMIT)

    def directed(self, columns: Sequence[ColumnElement[Any]], backward: bool) -> Sequence[ColumnElement[Any]]:
        """The columns of the keys, as ORDER BY takes them: nearest end first."""
        return [column.desc() for column in columns] if self.descending != backward else columns

    def bounds(self, window: Window) -> dict[str, Any]:
        """The parameters of `page`. Raises BadInput for a cursor of another order."""
        low, high = [key.low for key in self.keys], [key.high for key in self.keys]
        ends = {"after": high if self.descending else low, "before": low if self.descending else high}
        parameters: dict[str, Any] = {"limit": window.limit + 1}
        for name, cursor in (("after", window.after), ("before", window.before)):
            values = ends[name] if cursor is None else self._parse(name, cursor)
            parameters |= {f"{name}_{index}": value for index, value in enumerate(values)}
        return parameters

    def _bound(self, name: str, values: Sequence[ColumnElement[Any]] = ()) -> ColumnElement[Any]:
        ends = (bindparam(f"{name}_{index}", type_=key.type) for index, key in enumerate(self.keys))
        return _row_value([*values, *ends])

    def _parse(self, name: str, cursor: str) -> list[Any]:
        """Accepts only what this order has written, in its canonical form."""
        text = cursor.removeprefix(self.tag)
        # Dots are part of one key at most: of the last one if it is a text, otherwise of the first one.
        split = text.split if self.keys[-1].parse is str else text.rsplit
        texts = split(".", len(self.keys) - 1)
        try:
            if not cursor.startswith(self.tag) or len(texts) != len(self.keys) or "\0" in cursor:
                raise ValueError(cursor)
            cursor.encode()
            values = [key.parse(text) for key, text in zip(self.keys, texts, strict=True)]
            if not all(key.low < value < key.high for key, value in zip(self.keys, values, strict=True)):
                raise ValueError(cursor)
        except (ValueError, OverflowError, InvalidOperation):
            raise BadInput(f"{name} is not a cursor of this connection and order.") from None
        return values


def _row_value(columns: list[Any]) -> ColumnElement[Any]:
    return columns[0] if len(columns) == 1 else tuple_(*columns)


def _integer(text: str) -> int:
    value = int(text)
    if str(value) != text:
        raise ValueError(text)
    return value


def _time(text: str) -> datetime:
    return EPOCH + timedelta(microseconds=_integer(text))


def _uuid(text: str) -> str:
    value = str(UUID(text))
    if value != text:
        raise ValueError(text)
    return value


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value
