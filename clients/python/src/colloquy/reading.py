"""JSON objects as dataclasses: a field's annotation says how it is read, its name is the camelCase one's."""

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Read = Callable[[Any], Any]
PLAIN: dict[Any, Read] = {datetime: datetime.fromisoformat, Decimal: Decimal}


def read(cls: type[T], value: Mapping[str, Any]) -> T:
    """The object as an instance of this dataclass; what the class does not name is left out."""
    return cls(**{name: take(value[sent]) for name, sent, take in _plan(cast(Any, cls)) if sent in value})


def camel(name: str) -> str:
    """`last_activity_at` as `lastActivityAt`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


@cache
def _plan(cls: Any) -> list[tuple[str, str, Read]]:
    hints = get_type_hints(cls)
    return [(field.name, camel(field.name), _reader(hints[field.name])) for field in fields(cls)]


def _reader(hint: Any) -> Read:
    if get_origin(hint) in (Union, types.UnionType):
        [inner] = [part for part in get_args(hint) if part is not type(None)]
        some = _reader(inner)
        return lambda value: None if value is None else some(value)
    if get_origin(hint) is tuple:
        each = _reader(get_args(hint)[0])
        return lambda value: tuple(map(each, value))
    if is_dataclass(hint):
        return partial(read, cast(type, hint))
    return PLAIN.get(hint, _same)


def _same(value: Any) -> Any:
    return value
