"""Words for the search index: plain runs of letters and digits, and pairs of scripts without spaces."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.documents.search_words import MAX_NORMALIZED, fold, located, searchable, terms, tsquery


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("main.py a_b-c", "main py a b c"),
        ("jane@doe.example:80/x?y=1#Z", "jane doe example 80 x y 1 z"),
        ("Cafe\u0301 — STRASSE", "café strasse"),
        ("東京都 京", "東京 京都 京"),
        ("Pythonで書くv2", "python で書 書く v2"),
        ("한국어", "한국 국어"),
        ("ﬁne ½", "fine 1 2"),
        ("हिन्दी", "हिन्दी"),
        ("\u0301\u0302 \u0301a", "a"),
    ],
)
def test_words_of_a_text(text, words):
    assert searchable(text).split() == words.split()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Main.py", "'main' <-> 'py':*"),
        ("red-hot tea", "'red' <-> 'hot' & 'tea':*"),
        ("字 tea", "'字':* & 'tea':*"),
        ("東京都", "'東京' <-> '京都':*"),
        ("!? ''", ""),
    ],
)
def test_query_of_words(query, expected):
    assert tsquery(query) == expected


@given(some.text())
def test_quotes_and_operators_never_reach_the_query(text):
    assert all(re.fullmatch(r"\w[^'\\\s&|!():*<>]*", term) for term in terms(fold(text)))


@given(some.text())
def test_terms_lie_where_they_are_located(text):
    folded = fold(text)
    assert [term for term, _ in located(folded)] == terms(folded)
    assert all(folded.startswith(term, at) for term, at in located(folded) if "_" not in term)


def test_text_that_grows_is_cut():
    assert len(searchable("\ufdfa" * 65_536)) <= MAX_NORMALIZED
