"""JSON: orjson where it is lossless, the standard library otherwise."""

import json
import re
import secrets
from typing import Any, NoReturn

import orjson

from app.errors import BadInput

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_INTEGER = b"0" * 19


def decode(body: bytes) -> Any:
    """The value of a JSON text. Raises BadInput if it is not JSON in UTF-8 or nested too deeply.

    Integers keep every digit, and lone surrogates stay, so that the input's own types can refuse them and name the
    field.
    """
    try:
        if not _orjson_is_lossy(body):
            return orjson.loads(body)
        return json.loads(body.decode(), parse_constant=_refuse)
    except RecursionError:
        raise BadInput("The JSON is nested too deeply.") from None
    except ValueError:
        raise BadInput("This is not JSON in UTF-8.") from None


def _orjson_is_lossy(body: bytes) -> bool:
    """True if there may be integers beyond 64 bits, which orjson rounds, or lone surrogates, which it refuses."""
    return _LONG_INTEGER in body.translate(_AS_ZEROS) or (b"\\u" in body and _SURROGATE.search(body) is not None)


def encode(value: Any) -> bytes:
    """The JSON text of a response, which may hold `orjson.Fragment`, datetimes in UTC and all else that orjson writes.

    If there are lone surrogates, or integers beyond 64 bits, the text is ASCII with escapes.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_UTC_Z)
    except TypeError:
        return _encode_escaped(value)


def _encode_escaped(value: Any) -> bytes:
    parts: list[bytes] = []
    mark = secrets.token_hex(16)

    def replace(part: Any) -> str:
        """A unique text in place of what only orjson writes."""
        parts.append(orjson.dumps(part, option=orjson.OPT_UTC_Z))
        return f"{mark}{len(parts) - 1}."

    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=replace).encode()
    return re.sub(rf'"{mark}(\d+)\."'.encode(), lambda found: parts[int(found[1])], text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
