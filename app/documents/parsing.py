"""JSON texts of any producer, parsed without loss where PostgreSQL and common JSON readers allow it."""

import json
import math
import re
from contextlib import suppress
from typing import Any

import orjson

SURROGATE = re.compile("[\ud800-\udfff]")
# The escapes of characters that PostgreSQL cannot store: U+0000, a high surrogate without a low one, and the reverse.
HIGH, LOW = "[dD][89abAB][0-9a-fA-F][0-9a-fA-F]", "[dD][c-fC-F][0-9a-fA-F][0-9a-fA-F]"
ESCAPE = re.compile(rf"\\u(?:0000|{HIGH}(?!\\u{LOW})|(?<!\\u{HIGH}\\u){LOW})")
# Possibly an integer beyond 64 bits, of which orjson keeps only the size. This search takes a tenth of the time of one
# with a regular expression.
DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
LONG_NUMBER = b"0" * 19
MAX_INTEGER = 2**63
MAX_INTEGER_DIGITS = 20  # of the longest 64-bit integer, with its sign
MAX_LEVELS = 200
ORJSON_LEVELS = 254


def parse(text: str) -> Any:
    """The value of a JSON text; None for a text that is not JSON, or is nested deeper than 200 levels.

    U+FFFD is in the position of each character that PostgreSQL cannot store. The text itself has none of them.
    """
    if "\\u" in text and "\0" not in text:
        text = ESCAPE.sub(r"\\ufffd", text.replace("\\\\", "\0")).replace("\0", "\\\\")
    try:
        value = _decode(text)
    except (ValueError, RecursionError):
        return None
    return value if text.count("[") + text.count("{") <= MAX_LEVELS or _fits(value) else None


def clean(text: str) -> str:
    """The text with U+FFFD for each character that PostgreSQL cannot store."""
    return SURROGATE.sub("\ufffd", text.replace("\0", "\ufffd"))


def _decode(text: str) -> Any:
    encoded = text.encode(errors="surrogatepass")
    if LONG_NUMBER not in encoded.translate(DIGITS_TO_ZERO):
        with suppress(ValueError):
            return orjson.loads(encoded)
    return DECODER.decode(text)  # also NaN, and numbers beyond a double


def _fits(value: Any) -> bool:
    """True if the value is nested 200 levels deep at most: the limit of orjson measures faster than Python can."""
    for _ in range(ORJSON_LEVELS - MAX_LEVELS):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


def _integer(digits: str) -> int | str:
    """An integer beyond 64 bits stays a text: few JSON readers keep its digits."""
    if len(digits) > MAX_INTEGER_DIGITS or not -MAX_INTEGER <= (value := int(digits)) < MAX_INTEGER:
        return digits
    return value


def _number(digits: str) -> float | str:
    return value if math.isfinite(value := float(digits)) else digits


DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_number, parse_constant=str)
