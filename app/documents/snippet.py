"""The passage of a text that shows the words a search has found in it."""

import re
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import NamedTuple
from unicodedata import is_normalized

from app.documents.search_words import MARKS, fold, located

LEXEME = re.compile(r"'([^']+)'(:\*)?")
# What is folded as one: a letter with its marks, or the parts of a Hangul syllable.
CHARACTER = re.compile(f"(?s:[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|.)[{MARKS}]*")
MAX_LEXEMES, MAX_MATCHES = 50, 50
CONTEXT_LENGTH, PASSAGE_LENGTH = 60, 300
"""Characters of a passage before its first match, and in all."""


class Part(NamedTuple):
    """A part of a snippet."""

    text: str
    matched: bool


class Match(NamedTuple):
    """A part of the text that a lexeme matches."""

    start: int
    end: int
    lexeme: str


def snippet(text: str, lexemes: str, *, stemmed: bool) -> list[Part]:
    """The parts of the passage of `text` with the most different lexemes.

    `lexemes` is a tsquery as PostgreSQL prints it. `stemmed`: a lexeme is the beginning of a word, not the word.
    """
    matches = list(islice(_matches(text, lexemes, stemmed), MAX_MATCHES))
    start, end = _passage(text, matches)
    parts, at = [], start
    for match in matches:
        first, last = max(match.start, at), min(match.end, end)
        if first < last:
            parts += [Part(text[at:first], matched=False), Part(text[first:last], matched=True)]
            at = last
    return _joined([*parts, Part(text[at:end], matched=False)])


def _joined(parts: list[Part]) -> list[Part]:
    """Without empty parts; pairs of characters that overlap are one part."""
    joined: list[Part] = []
    for part in parts:
        if not part.text:
            continue
        if joined and joined[-1].matched == part.matched:
            part = Part(joined.pop().text + part.text, part.matched)
        joined.append(part)
    return joined


def _matches(text: str, lexemes: str, stemmed: bool) -> Iterator[Match]:
    words = LEXEME.findall(lexemes)[:MAX_LEXEMES]
    exact = {word for word, _ in words}
    prefixes = tuple(word for word, prefix in words if prefix or stemmed)
    folded, offsets = _folded(text)
    for term, at in located(folded):
        if term in exact or term.startswith(prefixes):
            end = at + len(term)
            yield Match(at, end, term) if offsets is None else Match(offsets[at], offsets[end], term)


def _folded(text: str) -> tuple[str, list[int] | None]:
    """The folded text, and for each of its offsets that of the text; None if they are equal."""
    folded = fold(text)
    if len(folded) == len(text) and (text.isascii() or is_normalized("NFKC", text)):
        return folded, None
    characters = CHARACTER.findall(text)
    pieces = list(map(fold, characters))
    starts = accumulate(map(len, characters), initial=0)
    offsets = [start for start, piece in zip(starts, pieces, strict=False) for _ in piece]
    return "".join(pieces), [*offsets, len(text)]


def _passage(text: str, matches: list[Match]) -> tuple[int, int]:
    """Start and end of the passage, between words where a space is near."""
    best = max(matches, key=lambda first: len(_lexemes_near(matches, first)), default=Match(0, 0, ""))
    start = max(0, best.start - CONTEXT_LENGTH)
    if start:
        start = max(start, text.find(" ", start, best.start) + 1)
    end = min(len(text), start + PASSAGE_LENGTH)
    if end < len(text):
        end = max(text.rfind(" ", max(best.end, end - CONTEXT_LENGTH), end), 0) or end
    return start, end


def _lexemes_near(matches: list[Match], first: Match) -> set[str]:
    end = first.start + PASSAGE_LENGTH - CONTEXT_LENGTH
    return {match.lexeme for match in matches if first.start <= match.start and match.end <= end}
