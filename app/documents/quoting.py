"""JSON texts with quotes around the values that orjson refuses or rounds: constants, and numbers that are too large.

Few JSON readers keep the digits of a number beyond 64 bits or beyond a double, so it is read as a text.
"""

import re
from decimal import ROUND_DOWN, Context, Decimal
from functools import reduce

# What comes before the next value that may need quotes, and that value without its sign: a constant, an integer beyond
# 64 bits, or another number that may be beyond a double. The search takes one step for all that comes before, is
# possessive, and matches everywhere: linear time. What is no JSON may be before a value, or be one.
MAX_INTEGER = "9223372036854775807"  # of 64 bits
GREATER = reduce(lambda less, digit: f"(?:[{int(digit) + 1}-9]|{digit}{less})", reversed(MAX_INTEGER[1:]), "(?!)")
OTHER, STRING, END = r'[^0-9"NI]*+', r'"[^"]*+"', r'[^0-9.eE"NI]'
INTEGER, EXPONENT = rf"[0-9]{{1,18}}+{END}", r"[eE][+-]?+[0-9]{1,2}+"
SHORT = rf"[0-9]{{1,18}}+(?:{EXPONENT}{END}|\.[0-9]++(?:{END}|{EXPONENT}{END}))"
FINITE = r"[0-9]{1,200}+(?=[.eE])(?:\.[0-9]++)?+(?:[eE](?:-[0-9]++|\+?+[0-9]{1,2}+))?+(?![0-9.eE])"
LONG_INTEGER = rf"(?:(?!9{GREATER})[0-9]{{19}}|(?<=-)9223372036854775808)(?![0-9.eE])"
UNCLOSED = '"'
QUOTED = r"(?!0[0-9])[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+|(?<!-)NaN|Infinity|[0NI]"
BEFORE = rf"{OTHER}(?:(?:{STRING}|{INTEGER}|{SHORT}|{FINITE}|{LONG_INTEGER}|{UNCLOSED}){OTHER})*+"
VALUES = re.compile(rf"({BEFORE})({QUOTED}|$)".encode())
CONSTANTS, NO_VALUES = (b"NaN", b"Infinity"), (b"N", b"I")
# The smallest number that a double cannot hold (IEEE 754, section 7.4), and what compares numbers with it exactly, in
# linear time: `float` takes 12 us for a number of 300 digits.
INFINITE, EXACT = Decimal(2**1024 - 2**970), Context(prec=400, rounding=ROUND_DOWN, traps=[])
# A constant or a number beyond a double takes 1 us, and is as short as NaN: in a large text, at most every 200th byte
# begins one. All values that need quotes begin at most every twentieth, as integers beyond 64 bits do.
MANY_SHORT, MAX_SHORT_DENSITY, QUOTED_LENGTH = 5_000, 0.005, 20
# Control characters, which no JSON text has, stand for escapes, new quotes, and values that need none.
MARKS = BACKSLASH, QUOTE, NEW_QUOTE, KEPT = b"\0", b"\1", b"\2", b"\3"
QUOTED_KEY = re.compile(b"\2[ \t\r\n]*+:")


def with_quotes(text: bytes) -> bytes:
    """The JSON text, in UTF-8, with the values that orjson cannot keep as strings.

    Raises ValueError for some texts that are not JSON, and for more than 5,000 constants and numbers that may be beyond
    a double, in less than 200 bytes each. Nothing runs once for each other value, of which a text may have 500,000.
    """
    if any(mark in text for mark in MARKS):
        raise ValueError("JSON has no such control characters.")
    text = text.replace(b"\\\\", BACKSLASH).replace(b'\\"', QUOTE)
    quoted = NEW_QUOTE.join(_pieces(text)).replace(NEW_QUOTE + KEPT, b"").replace(KEPT + NEW_QUOTE, b"")
    quoted = quoted.replace(b"-" + NEW_QUOTE, NEW_QUOTE + b"-")
    if QUOTED_KEY.search(quoted):
        raise ValueError("A key is a string.")
    return quoted.replace(NEW_QUOTE, b'"').replace(QUOTE, b'\\"').replace(BACKSLASH, b"\\\\")


def _pieces(text: bytes) -> list[bytes]:
    """What is before a value that may need quotes, and the value, in turn; at last what is behind all of them.

    A value that needs none is marked. Raises ValueError for too many values.
    """
    maximum = max(MANY_SHORT, int(MAX_SHORT_DENSITY * len(text)))
    pieces = VALUES.split(text, maximum + len(text) // QUOTED_LENGTH)
    if pieces.pop():
        raise ValueError("Too many values need quotes.")
    del pieces[::3]  # what is between two matches: nothing
    del pieces[-3 if pieces[-3:] == [b"", b"", b""] else -1 :]  # the end of the text may match twice
    short = [at for at, is_integer in enumerate(map(bytes.isdigit, pieces)) if not is_integer and at % 2]
    if len(short) > maximum:
        raise ValueError("Too many values need quotes.")
    for at in short:
        value = pieces[at]
        if value in NO_VALUES:
            raise ValueError("NaN has no sign, and JSON has no other names in capital letters.")
        if value not in CONSTANTS and EXACT.create_decimal(value.decode()) < INFINITE:
            pieces[at] = KEPT + value + KEPT
    return pieces
