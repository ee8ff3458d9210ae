"""Snippets: the parts are the passage of the text, and the words of the query are marked in it."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app.documents.search_words import tsquery
from app.documents.snippet import PASSAGE_LENGTH, snippet


def marked(text, query, stemmed=False):
    return [part.text for part in snippet(text, tsquery(query), stemmed=stemmed) if part.matched]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("run main.py or Main", "main.py", ["main", "py", "Main"]),
        ("mainly main", "main run", ["main"]),
        ("mainly main", "run main", ["mainly", "main"]),
        ("東京都に行く", "東京都", ["東京都"]),
        ("東京と京都", "京都", ["京都"]),
        ("Cafe\u0301s, cafe\u0301 ﬁne", "café fine", ["cafe\u0301", "ﬁne"]),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8", "한국", ["\u1112\u1161\u11ab\u1100\u116e\u11a8"]),
        ("a_b", "b", ["b"]),
        ("nothing", "else", []),
    ],
)
def test_words_of_the_query_are_marked(text, query, expected):
    assert marked(text, query) == expected


def test_words_with_the_stem_are_marked():
    assert marked("She was running", "run fast", stemmed=True) == ["running"]


def test_passage_has_most_of_the_words():
    text = "tea " + "and so on " * 100 + "tea with a cup " + "and so on " * 100
    parts = snippet(text, tsquery("tea cup"), stemmed=False)
    assert [part.text for part in parts if part.matched] == ["tea", "cup"]
    assert len("".join(part.text for part in parts)) <= PASSAGE_LENGTH


@given(text=some.text(max_size=2_000), query=some.text(), stemmed=some.booleans())
@settings(deadline=None)
def test_parts_are_always_a_passage_of_the_text(text, query, stemmed):
    parts = snippet(text, tsquery(query), stemmed=stemmed)
    passage = "".join(part.text for part in parts)
    assert passage in text
    assert len(passage) <= PASSAGE_LENGTH
    assert all(part.text for part in parts)
    assert all(first.matched != second.matched for first, second in pairwise(parts))
