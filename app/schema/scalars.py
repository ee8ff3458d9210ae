"""The scalars DateTime, Decimal and JSON: exact where the built-in ones change the value that was sent."""

import math
import re
from datetime import UTC, datetime
from decimal import Decimal as Number
from decimal import InvalidOperation
from typing import Any, NewType

import orjson
import strawberry
from graphql import GraphQLError, Undefined, ValueNode
from graphql.utilities import value_from_ast_untyped
from strawberry.schema.config import StrawberryConfig

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")
DateTime = NewType("DateTime", datetime)
Decimal = NewType("Decimal", Number)


class Json(str):
    """The text of a JSON value."""

    __slots__ = ()


def parse_moment(value: Any) -> datetime:
    """RFC 3339 with an offset, to the microsecond; the answer is in UTC."""
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise GraphQLError(
            f"DateTime needs RFC 3339 with an offset and at most microseconds, such as 2026-01-31T12:00:00.000000Z; "
            f"it is {value!r}."
        )
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(f"DateTime cannot be {value!r}: there is no such time.") from None


def show_moment(value: datetime | str) -> datetime | str:
    """UTC with six digits: the database's times are in UTC, and orjson writes all digits of those that have any.

    Light rows hold times as they are shown.
    """
    if isinstance(value, str):
        return value
    exact = value.microsecond and value.tzinfo is UTC  # the driver's last moment has no zone
    return value if exact else value.isoformat(timespec="microseconds")[:26] + "Z"


def parse_number(value: Any) -> Number:
    """A finite decimal, as a string or a number."""
    try:
        number = Number(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or len(number.as_tuple().digits) > 30 or abs(number.adjusted()) > 30:
        raise GraphQLError(f"Decimal needs a finite number of at most 30 digits; it is {value!r}.")
    return number


def parse_json(value: Any) -> Json:
    """The value as the JSON text that is stored; refuses what that could not keep."""
    _refuse_lossy(value)
    try:
        return Json(orjson.dumps(value, _inside, orjson.OPT_PASSTHROUGH_SUBCLASS).decode())
    except (TypeError, ValueError, RecursionError) as error:
        raise GraphQLError(f"JSON cannot keep this value: {error}.") from None


def _inside(value: Any) -> Any:
    """A variable of this scalar inside a literal is JSON text already."""
    if isinstance(value, Json):
        return orjson.Fragment(str(value))
    raise TypeError(f"it holds a {type(value).__name__}")


def _refuse_lossy(value: Any) -> None:
    """What orjson would turn into something else, or keep without a word. No recursion: depth is the sender's."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, float) and not math.isfinite(item):
            raise GraphQLError("JSON cannot keep a number that is not finite.")
        if item is Undefined:
            raise GraphQLError("JSON cannot keep a variable that is not set.")
        if isinstance(item, int) and not isinstance(item, bool) and not -(2**63) <= item < 2**64:
            raise GraphQLError("JSON cannot keep an integer beyond 64 bits; send it as a string.")
        if isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)


def parse_json_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Json:
    """A literal in the document, with the variables inside it; None where they are not known yet, in validation."""
    known = Unknown(unknown=None) if variables is None else variables
    try:
        return parse_json(value_from_ast_untyped(node, known))
    except GraphQLError as error:
        raise GraphQLError(error.message, node) from None  # only with its node it is the sender's error


class Unknown(dict[str, Any]):
    """Variables before their values: each as good as null."""

    def get(self, _name: str, _default: Any = None) -> None:
        return None


def show_json(value: str) -> orjson.Fragment:
    """The stored text goes out as it is."""
    return orjson.Fragment(str(value))


SCALARS: dict[object, Any] = {
    Json: strawberry.scalar(
        name="JSON",
        description="Any JSON value. It is returned with its keys in the order in which they were sent; NUL characters "
        "are allowed. Integers beyond 64 bits, numbers that are not finite, and single surrogates are refused. A "
        "document that must come back character for character is sent as a String in a `raw` field.",
        serialize=show_json,
        parse_value=parse_json,
        parse_literal=parse_json_literal,
    ),
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A time in RFC 3339 format. Output: UTC with microseconds, such as `2026-01-31T12:00:00.000000Z`. "
        "Input: any offset, at most microseconds.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=show_moment,
        parse_value=parse_moment,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="A finite decimal number of at most 30 digits. Output: a string with the digits that were sent. "
        "Input: a string or a number.",
        serialize=str,
        parse_value=parse_number,
    ),
}
CONFIG = StrawberryConfig(scalar_map=SCALARS)
