"""What was given, checked: each function names the field and says what would be right."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from app.errors import Invalid

NAME_LENGTH = 255


def text(value: str | None, field: str, *, longest: int = NAME_LENGTH, shortest: int = 0) -> str:
    """A text that PostgreSQL can keep, of so many characters. Null is refused."""
    if value is None:
        raise Invalid(f"{field} cannot be null.", field=field)
    if "\0" in value:
        raise Invalid(f"{field} cannot hold the character U+0000.", field=field)
    if not value.isascii():
        _refuse_surrogates(value, field)
    if not shortest <= len(value) <= longest:
        bounds = f"{shortest} to {longest}" if shortest else f"at most {longest}"
        raise Invalid(f"{field} needs {bounds} characters; it has {len(value)}.", field=field)
    return value


def optional(value: str | None, field: str, *, longest: int = NAME_LENGTH, shortest: int = 1) -> str | None:
    """The same, or null."""
    return None if value is None else text(value, field, longest=longest, shortest=shortest)


def present(value: Any, field: str) -> Any:
    """Anything but null."""
    if value is None:
        raise Invalid(f"{field} cannot be null.", field=field)
    return value


def future(value: datetime | None, field: str) -> datetime | None:
    """A time that has not come yet, or null."""
    if value is not None and value <= datetime.now(UTC):
        raise Invalid(f"{field} must lie in the future.", field=field)
    return value


def not_negative(value: Decimal | None, field: str) -> Decimal | None:
    """Zero or more, or null."""
    if value is not None and value < 0:
        raise Invalid(f"{field} cannot be below zero; it is {value}.", field=field)
    return value


def texts(values: Sequence[str] | None, field: str, *, most: int = 100) -> list[str]:
    """So many texts that are not empty; null is refused."""
    if values is None or len(values) > most:
        raise Invalid(f"{field} takes at most {most} texts, and cannot be null.", field=field)
    return [text(value, field, shortest=1) for value in values]


def only(fields: Mapping[str, Any], checks: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were sent, each through its check, which also gets the field's public name."""
    return {name: checks[name](value, public(name)) for name, value in fields.items()}


def public(name: str) -> str:
    """A field's name as clients know it."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def publics(names: Iterable[str]) -> list[str]:
    """The same of several, in alphabetical order."""
    return sorted(map(public, names))


def _refuse_surrogates(value: str, field: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{field} cannot hold half of a surrogate pair.", field=field) from None
