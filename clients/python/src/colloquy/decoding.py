"""JSON objects of responses as dataclasses: annotations give the types, and field names are the camelCase keys."""

import types
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, partial
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Decoder = Callable[[Any], Any]
SCALARS: dict[Any, Decoder] = {datetime: datetime.fromisoformat, Decimal: Decimal, bytes: b64decode}


def decode(cls: type[T], value: Mapping[str, Any]) -> T:
    """Returns the JSON object as an instance of the dataclass `cls`; keys that `cls` does not declare are ignored."""
    decoders = _field_decoders(cast(Any, cls))
    return cls(**{name: decoder(value[key]) for name, key, decoder in decoders if key in value})


def decode_optional(cls: type[T], value: Mapping[str, Any] | None) -> T | None:
    """Returns the JSON object as an instance of `cls`, or None for null."""
    return None if value is None else decode(cls, value)


def camel_case(name: str) -> str:
    """Returns `last_activity_at` as `lastActivityAt`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


@cache
def _field_decoders(cls: Any) -> list[tuple[str, str, Decoder]]:
    """The name, the JSON key and the decoder of each field."""
    hints = get_type_hints(cls)
    return [(field.name, camel_case(field.name), _decoder(hints[field.name])) for field in fields(cls)]


def _decoder(hint: Any) -> Decoder:
    if get_origin(hint) in (Union, types.UnionType):
        [inner] = [part for part in get_args(hint) if part is not type(None)]
        not_null = _decoder(inner)
        return lambda value: None if value is None else not_null(value)
    if get_origin(hint) is tuple:
        item = _decoder(get_args(hint)[0])
        return lambda value: tuple(map(item, value))
    if is_dataclass(hint):
        return partial(decode, cast(type, hint))
    return SCALARS.get(hint, _unchanged)


def _unchanged(value: Any) -> Any:
    return value
