"""Orders: a cursor is parsed only in the form that the order has written."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import Integer, Numeric, Text, column

from app.db.reading.order import Order, decimal_key, integer_key, text_key, time_key, uuid_key
from app.db.reading.page import Window
from app.errors import BadInput

ID = str(UUID(int=1))
ORDERS = {
    "integer": Order("integer", "i", (integer_key(column("n", Integer)),)),
    "time": Order("time", "t", (time_key(column("at")), uuid_key(column("id")))),
    "text": Order("text", "x", (text_key(column("name", Text)), uuid_key(column("id")))),
    "decimal": Order("decimal", "d", (decimal_key(column("rate", Numeric)), uuid_key(column("id")))),
}


def bounds(order, cursor):
    parameters = ORDERS[order].bounds(Window(10, False, cursor, None))
    return [value for name, value in parameters.items() if name.startswith("after_")]


@pytest.mark.parametrize(
    ("order", "cursor", "values"),
    [
        ("integer", "i.7", [7]),
        ("time", f"t.1000001.{ID}", [datetime(1970, 1, 1, 0, 0, 1, 1, UTC), ID]),
        ("text", f"x.a.b.{ID}", ["a.b", ID]),
        ("decimal", f"d.-1.{ID}", [Decimal(-1), ID]),
    ],
)
def test_a_cursor_has_the_values_of_its_row(order, cursor, values):
    assert bounds(order, cursor) == values


@pytest.mark.parametrize(
    ("order", "cursor"),
    [
        *(("integer", text) for text in ("", "7", "x.7", "i.", "i.07", "i.+7", "i.7 ", "i.0", "i.2147483647", "i.7.8")),
        *(("time", text) for text in (f"t.1.0.{ID}", f"t.{10**30}.{ID}", f"t.1.{ID.upper()}x", f"t.1.{ID[:-1]}")),
        *(("text", text) for text in (f"x.a\0.{ID}", f"x.\ud800.{ID}", "x.a")),
        *(("decimal", text) for text in (f"d.NaN.{ID}", f"d.one.{ID}", f"d.-2.{ID}")),
    ],
)
def test_any_other_text_is_refused(order, cursor):
    with pytest.raises(BadInput, match="after is not a cursor of this connection and order"):
        bounds(order, cursor)


def test_a_window_has_one_end_and_a_bounded_size():
    assert Window.of(None, None, None, None) == Window(50, False, None, None)
    assert Window.of(None, None, None, None, newest=True) == Window(50, True, None, None)
    assert Window.of(None, None, 3, "x") == Window(3, True, None, "x")
    for first, last in ((0, None), (101, None), (None, -1), (1, 1)):
        with pytest.raises(BadInput):
            Window.of(first, None, last, None)
