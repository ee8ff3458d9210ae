"""Checks of input values. Each one names the field and says what would be accepted. Raises Invalid."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from app.errors import Invalid
from app.limits import MAX_NAME_LENGTH

Check = Callable[[Any, str], Any]
"""`(value, field)`: returns the value to store."""


def text(value: str | None, field: str, *, min_length: int = 0, max_length: int = MAX_NAME_LENGTH) -> str:
    """A text that PostgreSQL can store; its length counts code points. Null is refused."""
    if value is None:
        raise Invalid(f"{field} cannot be null.", field=field)
    if "\0" in value:
        raise Invalid(f"{field} cannot hold the character U+0000.", field=field)
    if not value.isascii():
        _refuse_surrogates(value, field)
    if not min_length <= len(value) <= max_length:
        bounds = f"{min_length} to {max_length}" if min_length else f"at most {max_length}"
        raise Invalid(f"{field} needs {bounds} characters; it has {len(value)}.", field=field)
    return value


def name(value: str | None, field: str) -> str:
    """A text of 1 to 255 characters."""
    return text(value, field, min_length=1)


def optional_text(
    value: str | None, field: str, *, min_length: int = 1, max_length: int = MAX_NAME_LENGTH
) -> str | None:
    """A text, or null."""
    return None if value is None else text(value, field, min_length=min_length, max_length=max_length)


def not_null(value: Any, field: str) -> Any:
    """Any value but null."""
    if value is None:
        raise Invalid(f"{field} cannot be null.", field=field)
    return value


def unchecked(value: Any, _field: str) -> Any:
    """Any value: its type in the schema is check enough."""
    return value


def future(value: datetime | None, field: str) -> datetime | None:
    """A time in the future, or null."""
    if value is not None and value <= datetime.now(UTC):
        raise Invalid(f"{field} must lie in the future.", field=field)
    return value


def not_negative(value: Decimal | None, field: str) -> Decimal | None:
    """Zero or more, or null."""
    if value is not None and value < 0:
        raise Invalid(f"{field} cannot be below zero; it is {value}.", field=field)
    return value


def names(values: Sequence[str] | None, field: str, *, maximum: int) -> list[str]:
    """At most `maximum` texts of 1 to 255 characters. Null is refused."""
    if values is None or len(values) > maximum:
        raise Invalid(f"{field} takes at most {maximum} texts, and cannot be null.", field=field)
    return [name(value, field) for value in values]


def checked(fields: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """The fields that a client sent, each through its check."""
    return {field: checks[field](value, public_name(field)) for field, value in fields.items()}


@cache
def public_name(field: str) -> str:
    """The name of a field in the schema: `expires_at` is `expiresAt`."""
    head, *tail = field.split("_")
    return head + "".join(part.capitalize() for part in tail)


def public_names(fields: Iterable[str]) -> list[str]:
    """The names of several fields, in alphabetical order."""
    return sorted(map(public_name, fields))


def _refuse_surrogates(value: str, field: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{field} cannot hold half of a surrogate pair.", field=field) from None
