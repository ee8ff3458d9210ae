"""Titles: one line of at most sixty code points, with no character cut in two."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from app.documents.title import CONTROLS, MAX_TITLE_LENGTH, SCANNED, title_of

FAMILY, FLAG, ACCENT, ENGLAND = (
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "e\u0301",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
)
CLUSTERS = [
    "a",
    "é",
    ACCENT,
    FAMILY,
    FLAG,
    ENGLAND,
    "👍🏽",
    "❤\ufe0f",
    "한",
    "\u1112\u1161\u11ab",
    "न्दि",
    "กำ",
    "漢",
    "\u0d4e\u0d05",
]
GAPS = [" ", "\n", "\r\n", "\t", "\x00", "\u2028", "\u202e", "\u200f", "\u2066", "\x85", "\u0600"]
PARTS = ["\u200d", "\u0301", "\ufe0f", "🇪", "\u1161", "\u094d", "🏽", "\u200c"]
texts = st.lists(st.sampled_from(CLUSTERS + GAPS + PARTS), max_size=120).map("".join) | st.text(max_size=200)


@given(texts, st.integers(0, 70))
@example("\n" * 176 + FAMILY, 1)
@example("x" * 59 + "\n\u0301", 0)
@example("\u202e" * 600 + "x", 0)
def test_a_title_is_a_line_of_whole_characters_that_is_never_too_long(text, ahead):
    text = "x" * ahead + text
    title = title_of(text)
    assert len(title) <= MAX_TITLE_LENGTH
    assert title == title.strip()
    assert CONTROLS.search(title) is None
    line = CONTROLS.sub(" ", text.strip()).strip()
    assert line.startswith(title)
    ends = [0]
    for cluster in iter_graphemes(line):
        ends.append(ends[-1] + len(cluster))
    rest = line[len(title) :]
    assert len(title) in ends or len(title) + len(rest) - len(rest.lstrip()) in ends


@given(texts)
def test_a_title_is_as_long_as_it_may_be(text):
    assume(len(text) <= SCANNED)
    line = CONTROLS.sub(" ", text.strip()).strip()
    longest = ""
    for cluster in iter_graphemes(line):
        if len(longest + cluster) > MAX_TITLE_LENGTH:
            break
        longest += cluster
    assert title_of(text) == longest.rstrip()


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_character_that_does_not_fit_is_left_out_whole(cluster):
    for size in range(MAX_TITLE_LENGTH - len(cluster), MAX_TITLE_LENGTH + 1):
        fits = size + len(cluster) <= MAX_TITLE_LENGTH
        assert (
            title_of("x" * size + cluster + "y" * 100)
            == ("x" * size + cluster * fits + "y" * 100)[: MAX_TITLE_LENGTH if fits else size]
        )


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("  Hello  ", "Hello"),
        ("First line\r\n\r\nsecond line", "First line second line"),
        ("one\ttwo\x00three\u2028four\x85five", "one two three four five"),
        ("invoice \u202egpj.exe", "invoice  gpj.exe"),
        ("\u2067right to left\u2069", "right to left"),
        (FAMILY * 20, FAMILY * (60 // len(FAMILY))),
        (FLAG * 40, FLAG * 30),
        (ACCENT * 31, ACCENT * 30),
        ("a" + "\u0301" * 100, ""),
        ("\n\t ", ""),
        ("a  b", "a  b"),
    ],
)
def test_what_a_text_becomes(text, title):
    assert title_of(text) == title
