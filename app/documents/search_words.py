"""The words of a text, as the search index stores them and a query looks for them.

Both sides are prepared alike. A word is a run of letters and digits: punctuation separates, so that the parts of a
URL, a path or an address are words. Scripts without spaces between words become overlapping pairs of characters.
Text is compared in NFKC with folded case (Unicode Standard Annex 15; section 3.13 of the Unicode Standard).
"""

import re
from collections.abc import Iterable, Iterator
from operator import add
from unicodedata import category, normalize

# Letters of scripts without spaces between words: Thai, Lao, Burmese, Khmer, Hangul, Kana, Han.
_UNSPACED_RANGES = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17DF), (0x3005, 0x3007), (0x3021, 0x3029)),
    *((0x3031, 0x3035), (0x303B, 0x303C), (0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF)),
    *((0xA960, 0xA97C), (0xAC00, 0xD7FB), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)
MAX_NORMALIZED = 131_072
"""The longest text after normalization: one character may become 18, and a tsvector holds at most 1 MB."""


def _class(characters: Iterable[int]) -> str:
    """The characters as the ranges of a class in a regular expression."""
    ranges: list[list[int]] = []
    for character in characters:
        if ranges and character == ranges[-1][1] + 1:
            ranges[-1][1] = character
        else:
            ranges.append([character, character])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


_in_unspaced = (n for first, last in _UNSPACED_RANGES[:-1] for n in range(first, last + 1) if chr(n).isalpha())
UNSPACED = _class(_in_unspaced) + "\\U00020000-\\U0003ffff"
MARKS = _class(n for n in range(0x300, 0xFFFF) if category(chr(n)).startswith("M"))
UNSPACED_RUN = re.compile(f"([{UNSPACED}][{UNSPACED}{MARKS}]*)")
UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}][{MARKS}]*")
FIRST_UNSPACED = chr(_UNSPACED_RANGES[0][0])
WORD = re.compile(f"\\w[\\w{MARKS}]*")  # a mark belongs to the letter before it
ASCII_SEPARATORS = {code: " " for code in range(128) if not chr(code).isalnum()}


def fold(text: str) -> str:
    """The text in NFKC with folded case."""
    if text.isascii():
        return text.lower()
    return normalize("NFKC", normalize("NFKC", text).casefold())


def searchable(text: str) -> str:
    """The words of a text, separated by spaces, for `to_tsvector`."""
    if text.isascii():  # most texts; about 1 us for 200 characters
        return text.lower().translate(ASCII_SEPARATORS)
    return " ".join(terms(fold(text)[:MAX_NORMALIZED]))


def terms(folded: str) -> list[str]:
    """The words of a folded text, in their order; of a script without spaces its pairs, or a character alone."""
    found: list[str] = []
    for word in WORD.findall(folded.replace("_", " ")):  # \w has the underscore too
        if word.isascii() or max(word) < FIRST_UNSPACED:
            found.append(word)
        else:
            found += _parts(word)
    return found


def _parts(word: str) -> Iterator[str]:
    for index, piece in enumerate(UNSPACED_RUN.split(word)):
        if index % 2:
            # Without marks, as in Chinese, every code point is a character.
            characters = list(piece) if piece.isalnum() else UNSPACED_CHARACTER.findall(piece)
            yield from map(add, characters, characters[1:]) if len(characters) > 1 else characters
        elif piece:
            yield piece


def located(folded: str) -> Iterator[tuple[str, int]]:
    """The terms of a folded text, each with its offset."""
    for word in WORD.finditer(folded.replace("_", " ")):
        at = word.start()
        for term in terms(word.group()):
            at = folded.index(term, at)
            yield term, at
            at += 1


def tsquery(query: str) -> str:
    """A query in the syntax of `to_tsquery`; empty without a letter or digit.

    The parts of a word follow one another in the message. The last part is a prefix; so is a character alone of a
    script without spaces, for the pairs that begin with it. No term has a quote or a backslash, so none is escaped.
    """
    words = [parts for word in fold(query).split() if (parts := terms(word))]
    phrases = [" <-> ".join(map(_quoted, parts)) for parts in words]
    return " & ".join(phrases).removesuffix(":*") + ":*" if phrases else ""


def _quoted(term: str) -> str:
    return f"'{term}':*" if UNSPACED_CHARACTER.fullmatch(term) else f"'{term}'"
