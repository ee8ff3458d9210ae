"""JSON texts of any producer, parsed without loss where PostgreSQL and common JSON readers allow it."""

import math
import re
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
# What else orjson refuses: without it, the text is no JSON.
REFUSED = re.compile(r"NaN|Infinity|e\+?+[0-9]{3}|E\+?+[0-9]{3}")
# What comes before the next number that may be beyond 64 bits or beyond a double, and that number: an integer that
# certainly is, or another. The search takes one step for all that comes before, and is possessive: linear time. It need
# not stop at a number that is not JSON.
FRACTION, EXPONENT = r"(?:\.[0-9]++)?+", r"(?:[eE](?:-[0-9]++|\+?+[0-9]{1,2}+))?+"
FINITE = rf"-?+[0-9]{{1,18}}+(?:[^0-9.eE]|(?=[.eE]){FRACTION}{EXPONENT}(?![0-9]))"
INTEGER = r"-?+[1-8][0-9]{18}(?![0-9.eE])"
NO_JSON = r"-(?![0-9])[^0-9]?+|-?+0[0-9]++"
BEYOND = r"-?+[1-9][0-9]{19,}+(?![.eE])"
NUMBER = rf"-?+[0-9]++{FRACTION}(?:[eE][+-]?+[0-9]++)?+"
NUMBERS = re.compile(rf"([^0-9-]*+(?:(?:{FINITE}|{INTEGER}|{NO_JSON})[^0-9-]*+)*+)(?:({BEYOND})|({NUMBER})|$)")
MAX_INTEGER, MIN_INTEGER = "9223372036854775807", "-9223372036854775808"  # of 64 bits
MAX_LEVELS = 200
# Lists around a text, inside which orjson reads as many levels of the text as are allowed.
LISTS_AROUND = 1024 - MAX_LEVELS
# A list in a list takes 100 ns, more than any other value: in a large text, at most every third character opens one.
MANY_LISTS, MAX_DENSITY = 300_000, 0.35
# Control characters, which no JSON text has, stand for escapes, new quotes and a constant while quotes are set.
MARKS = BACKSLASH, QUOTE, NEW_QUOTE, CONSTANT = "\0\1\2\3"
QUOTED_KEY = re.compile("\2[ \t\r\n]*+:")


def parse(text: str) -> Any:
    """The value of a JSON text; None for a text that is not JSON, is nested deeper than 200 levels, or is too dense.

    U+FFFD is in the position of each character that PostgreSQL cannot store. The text itself has none of them. NaN,
    infinity, and a number beyond 64 bits or beyond a double are texts: few JSON readers keep their digits. A text that
    opens more than 300,000 lists and objects, with more than 35 % of its characters, is too dense.
    """
    if "\\u" in text and "\0" not in text:
        text = ESCAPE.sub(r"\\ufffd", text.replace("\\\\", "\0")).replace("\0", "\\\\")
    try:
        return _decode(text)
    except ValueError:
        return None


def clean(text: str) -> str:
    """The text with U+FFFD for each character that PostgreSQL cannot store."""
    return SURROGATE.sub("\ufffd", text.replace("\0", "\ufffd"))


def _decode(text: str) -> Any:
    encoded = _encoded(text)
    if LONG_NUMBER in encoded.translate(DIGITS_TO_ZERO):
        return _loads(_encoded(_with_quotes(text)))
    try:
        return _loads(encoded)
    except ValueError:
        if not REFUSED.search(text):
            raise
    return _loads(_encoded(_with_quotes(text)))


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("\ufffd", text).encode()


def _loads(encoded: bytes) -> Any:
    """The value of a JSON text. Raises ValueError for no JSON, for more than 200 levels, and for too dense a text."""
    opened = encoded.count(b"[") + encoded.count(b"{")
    if opened <= MAX_LEVELS:
        return orjson.loads(encoded)
    if opened > max(MANY_LISTS, MAX_DENSITY * len(encoded)):
        raise ValueError("More than a third of the text opens lists and objects.")
    value = orjson.loads(b"[" * LISTS_AROUND + encoded + b"]" * LISTS_AROUND)
    for _ in range(LISTS_AROUND):
        [value] = value  # more than one value if the text closes a list that it did not open
    return value


def _with_quotes(text: str) -> str:
    """The text with the values that orjson cannot keep as strings. Raises ValueError for some texts that are not JSON.

    Nothing runs once for each string of the document, which may consist of short ones: they are cut out together.
    """
    if any(mark in text for mark in MARKS):
        raise ValueError("JSON has no such control characters.")
    pieces = text.replace("\\\\", BACKSLASH).replace('\\"', QUOTE).split('"')
    outside = _with_quoted_numbers('"'.join(pieces[::2]))
    for name, mark in (("-Infinity", CONSTANT), ("Infinity", "Infinity"), ("NaN", "NaN"), (CONSTANT, "-Infinity")):
        outside = outside.replace(name, mark if mark == CONSTANT else NEW_QUOTE + mark + NEW_QUOTE)
    if QUOTED_KEY.search(outside):
        raise ValueError("A key is a string.")
    pieces[::2] = outside.split('"')
    return '"'.join(pieces).replace(NEW_QUOTE, '"').replace(QUOTE, '\\"').replace(BACKSLASH, "\\\\")


def _with_quoted_numbers(outside: str) -> str:
    found, quote = NUMBERS.findall(outside), NEW_QUOTE
    others = {number for _, _, number in found}
    written = {number: number if _is_kept(number) else quote + number + quote for number in others}
    return "".join(
        [f"{before}{quote}{beyond}{quote}" if beyond else before + written[number] for before, beyond, number in found]
    )


def _is_kept(number: str) -> bool:
    """True for an integer of 64 bits, which has up to 19 digits, and for a number that a double can hold."""
    if number.isdigit():
        return len(number) < len(MAX_INTEGER) or (len(number) == len(MAX_INTEGER) and number <= MAX_INTEGER)
    if number[1:].isdigit():
        return len(number) < len(MIN_INTEGER) or (len(number) == len(MIN_INTEGER) and number <= MIN_INTEGER)
    return not number or math.isfinite(float(number))
