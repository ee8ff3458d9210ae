"""Values of inputs, with omitted fields distinguished from null."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

import strawberry


def provided_fields(input: Any, *omit: str) -> dict[str, Any]:
    """The fields that the client sent, null included; enum members as their values."""
    provided = {}
    for name, value in vars(input).items():
        if value is not None and name not in omit:
            sent = value.value if isinstance(value, strawberry.Some) else value
            provided[name] = sent if type(sent) is str else to_python(sent)
    return provided


def value_of(field: Any) -> Any:
    """The value of an optional input field; None if the client sent null or omitted the field."""
    return field.value if isinstance(field, strawberry.Some) else field


def values_of(members: Sequence[Enum] | None) -> tuple[Any, ...] | None:
    """The values of enum members; None for None."""
    return None if members is None else tuple(member.value for member in members)


def to_python(value: Any) -> Any:
    """An input value with enum members as their values, in lists too."""
    if isinstance(value, Enum):
        return value.value
    return [to_python(item) for item in value] if isinstance(value, list) else value
