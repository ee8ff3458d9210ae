"""JSON texts of any producer, parsed without loss where PostgreSQL and common JSON readers allow it."""

import re
from typing import Any

import orjson

from app.documents.quoting import with_quotes

SURROGATE = re.compile("[\ud800-\udfff]")
# The escapes of characters that PostgreSQL cannot store: U+0000, a high surrogate without a low one, and the reverse.
HIGH, LOW = "[dD][89abAB][0-9a-fA-F][0-9a-fA-F]", "[dD][c-fC-F][0-9a-fA-F][0-9a-fA-F]"
ESCAPE = re.compile(rf"\\u(?:0000|{HIGH}(?!\\u{LOW})|(?<!\\u{HIGH}\\u){LOW})".encode())
# Possibly an integer beyond 64 bits, of which orjson keeps only the size. This search takes a tenth of the time of one
# with a regular expression.
DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
LONG_NUMBER = b"0" * 19
# Where orjson refuses a text that may be readable with quotes: a constant, or a number beyond a double.
REFUSED = re.compile(rb"NaN|Infinity|-?[1-9]|-?0\.")
MAX_LEVELS = 200
# Lists around a text, inside which orjson reads as many levels of the text as are allowed.
LISTS_AROUND = 1024 - MAX_LEVELS
# Lists around a value, inside which orjson writes as many levels as are allowed. For a short text this takes 6 us, and
# reading it with lists around 40 us.
LISTS_AROUND_VALUE, SHORT_TEXT = 254 - MAX_LEVELS, 4_000
# A list in a list takes 100 ns, and an object three times as long: more than any other value. In a large text, at most
# every fourth byte opens a list.
MANY_LISTS, MAX_DENSITY, LISTS_OF_OBJECT = 250_000, 0.25, 3


def parse(text: str) -> Any:
    """The value of a JSON text; None for a text that is not JSON, is nested deeper than 200 levels, or is too dense.

    U+FFFD is in the position of each character that PostgreSQL cannot store. The text itself has none of them. NaN,
    infinity, and a number beyond 64 bits or beyond a double are texts: few JSON readers keep their digits. A text is
    too dense if it opens more than 250,000 lists, with more than 25 % of its bytes, where an object counts as three, or
    if `with_quotes` refuses it.
    """
    encoded = _encoded(text)
    if b"\\u" in encoded and b"\0" not in encoded:
        encoded = ESCAPE.sub(rb"\\ufffd", encoded.replace(b"\\\\", b"\0")).replace(b"\0", b"\\\\")
    try:
        return _decode(encoded)
    except ValueError:
        return None


def clean(text: str) -> str:
    """The text with U+FFFD for each character that PostgreSQL cannot store."""
    return SURROGATE.sub("\ufffd", text.replace("\0", "\ufffd"))


def _decode(encoded: bytes) -> Any:
    if LONG_NUMBER in encoded.translate(DIGITS_TO_ZERO):
        return _loads(with_quotes(encoded))
    try:
        return _loads(encoded)
    except orjson.JSONDecodeError as refused:
        read, whole = refused.doc[: refused.pos].encode(), refused.doc.encode()
    at = len(read) - (len(whole) - len(encoded)) // 2  # without the lists around
    if not REFUSED.match(encoded, at):
        raise ValueError("The text is no JSON.")
    at -= encoded[at - 1 : at] == b"-"
    return _loads(encoded[:at] + with_quotes(encoded[at:]))


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("\ufffd", text).encode()


def _loads(encoded: bytes) -> Any:
    """The value of a JSON text. Raises ValueError for no JSON, for more than 200 levels, and for too dense a text."""
    lists, objects = encoded.count(b"["), encoded.count(b"{")
    if lists + objects <= MAX_LEVELS:
        return orjson.loads(encoded)
    if lists + LISTS_OF_OBJECT * objects > max(MANY_LISTS, MAX_DENSITY * len(encoded)):
        raise ValueError("More than a fourth of the text opens lists, or more than a twelfth objects.")
    if len(encoded) <= SHORT_TEXT:
        return _checked(orjson.loads(encoded))
    value = orjson.loads(b"[" * LISTS_AROUND + encoded + b"]" * LISTS_AROUND)
    for _ in range(LISTS_AROUND):
        [value] = value  # more than one value if the text closes a list that it did not open
    return value


def _checked(value: Any) -> Any:
    """The value of a short text. Raises ValueError if it is nested deeper than 200 levels."""
    written = value
    for _ in range(LISTS_AROUND_VALUE):
        written = [written]
    try:
        orjson.dumps(written)
    except TypeError as refused:
        raise ValueError("The text is nested deeper than 200 levels.") from refused
    return value
