"""JSON texts of any producer, parsed without loss where PostgreSQL and common JSON readers allow it."""

import json
import math
import re
from collections.abc import Iterable
from itertools import chain
from typing import Any

import orjson

SURROGATE = re.compile("[\ud800-\udfff]")
MAX_INTEGER = 2**63
MAX_INTEGER_DIGITS = 20  # of the longest 64-bit integer, with its sign
MAX_LEVELS = 200
LONG_NUMBER = re.compile(r"\d{19}")  # possibly an integer beyond 64 bits, of which orjson keeps the size only
UNCHANGED = frozenset((int, float, bool, type(None)))
NESTED = frozenset((dict, list))


def parse(text: str) -> Any:
    """The value of a JSON text, cleaned; None for a text that is not JSON, or is nested deeper than 200 levels."""
    if "\\u0000" not in text and not LONG_NUMBER.search(text):
        try:
            value = orjson.loads(text)
        except ValueError:
            pass  # no JSON; or a lone surrogate, NaN or a number beyond a double, which `DECODER` reads
        else:
            return value if text.count("[") + text.count("{") <= MAX_LEVELS or _fits(value) else None
    try:
        return clean(DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def clean(value: Any, levels: int = MAX_LEVELS) -> Any:
    """The value with U+FFFD for each character that PostgreSQL cannot store. Raises ValueError if nested too deeply."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value.replace("\0", "\ufffd"))
    if isinstance(value, dict | list) and not levels:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {clean(key): clean(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [item if type(item) in UNCHANGED else clean(item, levels - 1) for item in value]
    return value


def _fits(value: Any) -> bool:
    """True if the value is nested 200 levels deep at most."""
    items: Iterable[Any] = [value]
    for _ in range(MAX_LEVELS + 1):
        level = [item for item in items if type(item) in NESTED]
        if not level:
            return True
        items = chain.from_iterable(each.values() if type(each) is dict else each for each in level)
    return False


def _integer(digits: str) -> int | str:
    """An integer beyond 64 bits stays a text: few JSON readers keep its digits."""
    if len(digits) > MAX_INTEGER_DIGITS or not -MAX_INTEGER <= (value := int(digits)) < MAX_INTEGER:
        return digits
    return value


def _number(digits: str) -> float | str:
    return value if math.isfinite(value := float(digits)) else digits


DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_number, parse_constant=str)
