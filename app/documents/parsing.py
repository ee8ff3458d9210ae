"""JSON texts of any producer, parsed without loss where PostgreSQL and common JSON readers allow it."""

import re
from decimal import ROUND_DOWN, Context, Decimal
from functools import reduce
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
# Where orjson refuses a text that may be readable with quotes: a constant, or a number beyond a double.
REFUSED = re.compile(r"NaN|Infinity|-?[1-9]|-?0\.")
# What comes before the next value that may need quotes, and that value without its sign: a constant, an integer beyond
# 64 bits, or another number that may be beyond a double. The search takes one step for all that comes before, and is
# possessive: linear time. It need not stop at a number that is not JSON.
MAX_INTEGER = "9223372036854775807"  # of 64 bits
GREATER = reduce(lambda less, digit: f"(?:[{int(digit) + 1}-9]|{digit}{less})", reversed(MAX_INTEGER[1:]), "(?!)")
OTHER, STRING, END = r'[^0-9"NI]*+', r'"[^"]*+"', r'[^0-9.eE"NI]'
INTEGER, EXPONENT = rf"[0-9]{{1,18}}+{END}", r"[eE][+-]?+[0-9]{1,2}+"
SHORT = rf"[0-9]{{1,18}}+(?:{END}|{EXPONENT}{END}|\.[0-9]++(?:{END}|{EXPONENT}{END}))"
FINITE = r"[0-9]{1,200}+(?=[.eE])(?:\.[0-9]++)?+(?:[eE](?:-[0-9]++|\+?+[0-9]{1,2}+))?+(?![0-9.eE])"
LONG_INTEGER = rf"(?:(?!9{GREATER})[0-9]{{19}}|(?<=-)9223372036854775808)(?![0-9.eE])"
NO_JSON = r'0[0-9]++|"|(?<=-)N|(?!NaN|Infinity)[NI]'
QUOTED = r"[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+|NaN|Infinity"
VALUES = re.compile(
    rf"({OTHER}(?:(?:{STRING}|{INTEGER}|{SHORT}|{FINITE}|{LONG_INTEGER}|{NO_JSON}){OTHER})*+)({QUOTED}|$)"
)
# The smallest number that a double cannot hold (IEEE 754, section 7.4), and what compares numbers with it exactly, in
# linear time: `float` takes 12 us for a number of 300 digits.
INFINITE, EXACT = Decimal(2**1024 - 2**970), Context(prec=400, rounding=ROUND_DOWN, traps=[])
# A constant or a number beyond a double takes 1 us, and is as short as NaN: in a large text, at most every 200th character
# begins one. All values that need quotes begin at most every twentieth, as integers beyond 64 bits do.
MANY_QUOTED, MAX_QUOTED_DENSITY, QUOTED_LENGTH = 5_000, 0.005, 20
MAX_LEVELS = 200
# Lists around a text, inside which orjson reads as many levels of the text as are allowed.
LISTS_AROUND = 1024 - MAX_LEVELS
# Lists around a value, inside which orjson writes as many levels as are allowed: 6 us for a short text, in which it would
# take 40 us to read and leave the lists around.
LISTS_AROUND_WRITTEN, FEW_LISTS = 254 - MAX_LEVELS, 2_000
# A list in a list takes 100 ns, more than any other value: in a large text, at most every third character opens one.
MANY_LISTS, MAX_DENSITY = 300_000, 0.35
# Control characters, which no JSON text has, stand for escapes, new quotes and values without them while quotes are set.
MARKS = BACKSLASH, QUOTE, NEW_QUOTE, KEPT = "\0\1\2\3"
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
    except orjson.JSONDecodeError as refused:
        at = refused.pos - (len(refused.doc) - len(text)) // 2  # without the lists around
    if not REFUSED.match(text, at):
        raise ValueError("The text is no JSON.")
    at -= text[at - 1 : at] == "-"
    return _loads(_encoded(text[:at] + _with_quotes(text[at:])))


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
    if opened <= FEW_LISTS:
        return _checked(orjson.loads(encoded))
    value = orjson.loads(b"[" * LISTS_AROUND + encoded + b"]" * LISTS_AROUND)
    for _ in range(LISTS_AROUND):
        [value] = value  # more than one value if the text closes a list that it did not open
    return value


def _checked(value: Any) -> Any:
    """The value, which has few lists. Raises ValueError if it is nested deeper than 200 levels."""
    written = value
    for _ in range(LISTS_AROUND_WRITTEN):
        written = [written]
    try:
        orjson.dumps(written)
    except TypeError as refused:
        raise ValueError("The text is nested deeper than 200 levels.") from refused
    return value


def _with_quotes(text: str) -> str:
    """The text with the values that orjson cannot keep as strings. Raises ValueError for some texts that are not JSON.

    Nothing runs once for each value of the document, which may consist of short ones.
    """
    if any(mark in text for mark in MARKS):
        raise ValueError("JSON has no such control characters.")
    text = text.replace("\\\\", BACKSLASH).replace('\\"', QUOTE)
    quoted = NEW_QUOTE.join(_pieces(text)).replace(NEW_QUOTE + KEPT, "").replace(KEPT + NEW_QUOTE, "")
    quoted = quoted.replace("-" + NEW_QUOTE, NEW_QUOTE + "-")
    if QUOTED_KEY.search(quoted):
        raise ValueError("A key is a string.")
    return quoted.replace(NEW_QUOTE, '"').replace(QUOTE, '\\"').replace(BACKSLASH, "\\\\")


def _pieces(text: str) -> list[str]:
    """What is before a value that may need quotes, and the value, in turn; at last what is behind all of them.

    A value that needs none is marked. Raises ValueError for too many values.
    """
    most = max(MANY_QUOTED, int(MAX_QUOTED_DENSITY * len(text)))
    pieces = VALUES.split(text, most + len(text) // QUOTED_LENGTH)
    if pieces.pop():
        raise ValueError("Too many values need quotes.")
    del pieces[::3]  # what is between two matches: nothing
    del pieces[-3 if pieces[-3:] == ["", "", ""] else -1 :]  # the end matches alone too
    short = [at for at, is_integer in enumerate(map(str.isdigit, pieces)) if not is_integer and at % 2]
    if len(short) > most:
        raise ValueError("Too many values need quotes.")
    for at in short:
        value = pieces[at]
        if value[0] not in "NI" and EXACT.create_decimal(value) < INFINITE:
            pieces[at] = KEPT + value + KEPT
    return pieces
