"""JSON in and out: orjson wherever it keeps what it is given, the standard library where it would not."""

import json
import re
import secrets
from typing import Any, NoReturn

import orjson

from app.errors import BadInput

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG = b"0" * 19


def decode(body: bytes) -> Any:
    """The value of a JSON text. `BadInput` if it is none, or none that this process can hold.

    Integers keep every digit and lone surrogates stay what they are, so that whoever refuses them can say
    in which field they were.
    """
    try:
        if not _is_delicate(body):
            return orjson.loads(body)
        return json.loads(body.decode(), parse_constant=_refuse)
    except RecursionError:
        raise BadInput("The JSON is nested too deeply.") from None
    except ValueError:
        raise BadInput("This is not JSON in UTF-8.") from None


def _is_delicate(body: bytes) -> bool:
    """Whether it holds integers that may exceed 64 bits, which orjson rounds, or surrogates, refused when alone."""
    return _LONG in body.translate(_AS_ZEROS) or (b"\\u" in body and _SURROGATE.search(body) is not None)


def encode(value: Any) -> bytes:
    """The JSON text of an answer: may hold `orjson.Fragment`, times in UTC and whatever else orjson writes.

    Text that holds lone surrogates, and integers beyond 64 bits, are written in ASCII escapes.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_UTC_Z)
    except TypeError:
        return _encode_escaped(value)


def _encode_escaped(value: Any) -> bytes:
    spliced: list[bytes] = []
    mark = secrets.token_hex(16)

    def splice(part: Any) -> str:
        spliced.append(orjson.dumps(part, option=orjson.OPT_UTC_Z))
        return f"{mark}{len(spliced) - 1}."

    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=splice).encode()
    return re.sub(rf'"{mark}(\d+)\."'.encode(), lambda found: spliced[int(found[1])], text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
