"""The scalars Base64, DateTime, Decimal and JSON: exact where the built-in ones change the value that was sent."""

import binascii
import math
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from decimal import Decimal as Number
from decimal import InvalidOperation
from typing import Any, NewType

import orjson
import strawberry
from graphql import GraphQLError, Undefined, ValueNode
from graphql.utilities import value_from_ast_untyped
from strawberry.schema.config import StrawberryConfig

RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:(\.\d{1,6})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
Base64 = NewType("Base64", bytes)
DateTime = NewType("DateTime", datetime)
Decimal = NewType("Decimal", Number)


class Json(str):
    """A JSON value as its text, which is stored and returned unchanged."""

    __slots__ = ()


def parse_base64(value: Any) -> bytes:
    """The bytes of a Base64 text with padding (RFC 4648 §4)."""
    try:
        data = b64decode(value, validate=True) if isinstance(value, str) and value.isascii() else None
    except binascii.Error:
        data = None
    if data is None:
        raise GraphQLError("Base64 needs a text in the alphabet of RFC 4648, section 4, with padding.")
    return data


def serialize_base64(value: bytes) -> str:
    """The Base64 text of bytes."""
    return b64encode(value).decode()


def parse_time(value: Any) -> datetime:
    """The time of an RFC 3339 text with an offset, in UTC; digits beyond microseconds are cut off."""
    found = RFC3339.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise GraphQLError(
            f"DateTime needs RFC 3339 with an offset, such as 2026-01-31T12:00:00.000000Z; it is {value!r}."
        )
    try:
        return datetime.fromisoformat("".join(filter(None, found.groups())).upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise GraphQLError(f"DateTime cannot be {value!r}: there is no such time.") from None


def serialize_time(value: datetime | str) -> datetime | str:
    """A time that the JSON encoder writes in UTC with six digits. Partial rows have this text already.

    orjson writes six digits for every time but one with zero microseconds.
    """
    if isinstance(value, str):
        return value
    # asyncpg's value for `infinity` has no zone.
    exact = value.microsecond and value.tzinfo is UTC
    return value if exact else value.isoformat(timespec="microseconds")[:26] + "Z"


serialize_time.unchanged = (str,)  # type: ignore[attr-defined]  # compiled operations make no call for these


def parse_decimal(value: Any) -> Number:
    """The finite decimal number in a string or a number."""
    try:
        number = Number(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or len(number.as_tuple().digits) > 30 or abs(number.adjusted()) > 30:
        raise GraphQLError(f"Decimal needs a finite number of at most 30 digits; it is {value!r}.")
    return number


def parse_json(value: Any) -> Json:
    """The JSON text of a value. Refuses values that JSON text would change."""
    _refuse_lossy(value)
    try:
        return Json(orjson.dumps(value, _fragment, orjson.OPT_PASSTHROUGH_SUBCLASS).decode())
    except (TypeError, ValueError, RecursionError) as error:
        raise GraphQLError(f"JSON cannot keep this value: {error}.") from None


def _fragment(value: Any) -> Any:
    """A variable of this scalar inside a literal: JSON text already."""
    if isinstance(value, Json):
        return orjson.Fragment(str(value))
    raise TypeError(f"it holds a {type(value).__name__}")


def _refuse_lossy(value: Any) -> None:
    """Refuses values that orjson would silently change. No recursion, because a client chooses the depth."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, float) and not math.isfinite(item):
            raise GraphQLError("JSON cannot keep a number that is not finite.")
        if item is Undefined:
            raise GraphQLError("JSON cannot keep a variable that is not set.")
        if isinstance(item, int) and not isinstance(item, bool) and not -(2**63) <= item < 2**64:
            raise GraphQLError("JSON cannot keep an integer beyond 64 bits; send it as a string.")
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def parse_json_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Json:
    """The JSON text of a literal in the document. `variables` are those inside it; None during validation."""
    # Not an empty dict: graphql-core would not ask that for a value.
    values = UnknownVariables(unknown=None) if variables is None else variables
    try:
        return parse_json(value_from_ast_untyped(node, values))
    except GraphQLError as error:
        raise GraphQLError(error.message, node) from None  # an error without its node would count as a server error


class UnknownVariables(dict[str, Any]):
    """Variables during validation, before their values are known: each is null."""

    def get(self, _name: str, _default: Any = None) -> None:
        return None


def serialize_json(value: str) -> orjson.Fragment:
    """The stored text, which the JSON encoder writes unchanged."""
    return orjson.Fragment(str(value))


SCALARS: dict[object, Any] = {
    Json: strawberry.scalar(
        name="JSON",
        description="Any JSON value. It is returned with its keys in the order in which they were sent; NUL characters "
        "are allowed. Integers beyond 64 bits, numbers that are not finite, and single surrogates are refused. A "
        "document that must come back character for character is sent as a String in a `raw` field.",
        serialize=serialize_json,
        parse_value=parse_json,
        parse_literal=parse_json_literal,
    ),
    Base64: strawberry.scalar(
        name="Base64",
        description="Bytes as a text in Base64 with padding.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc4648#section-4",
        serialize=serialize_base64,
        parse_value=parse_base64,
    ),
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A time in RFC 3339 format. Output: UTC with microseconds, such as `2026-01-31T12:00:00.000000Z`. "
        "Input: any offset; digits beyond microseconds are cut off.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=serialize_time,
        parse_value=parse_time,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="A finite decimal number of at most 30 digits. Output: a string with the digits that were sent. "
        "Input: a string or a number.",
        serialize=str,
        parse_value=parse_decimal,
    ),
}
CONFIG = StrawberryConfig(scalar_map=SCALARS)
