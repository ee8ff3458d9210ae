"""The store of prepared documents: what is asked for often stays, whatever else is thrown at it."""

from graphql_compiled.document_cache import LONGEST, TYPICAL, Documents
from hypothesis import given
from hypothesis import strategies as st


def ask(documents: Documents[str], text: str) -> bool:
    """Ask as the engine does; whether it was a hit."""
    if documents.get(text) is not None:
        return True
    documents.offer(text, text)
    return False


def test_a_text_is_kept_from_its_second_sight_on():
    documents: Documents[str] = Documents(4)
    assert [ask(documents, "{a}") for _ in range(4)] == [False, False, True, True]


def test_texts_that_come_once_are_not_kept_and_evict_nothing():
    documents: Documents[str] = Documents(4)
    good = [f"{{good{n}}}" for n in range(4)]
    for text in good * 3:
        ask(documents, text)
    for n in range(10_000):
        ask(documents, f"{{hostile{n}}}")
    assert all(ask(documents, text) for text in good)
    assert len(documents) == 4


def test_texts_that_come_twice_do_not_evict_what_is_in_use():
    documents: Documents[str] = Documents(4)
    good = [f"{{good{n}}}" for n in range(4)]
    hits = 0
    for n in range(2_000):
        hits += sum(ask(documents, text) for text in good)
        ask(documents, f"{{hostile{n // 2}}}")
    assert hits >= 4 * 2_000 - 8


def test_a_new_favourite_replaces_what_nobody_asks_for_any_more():
    documents: Documents[str] = Documents(2)
    for text in ["{old1}", "{old2}"] * 50:
        ask(documents, text)
    for text in ["{new1}", "{new2}"] * 100:
        ask(documents, text)
    assert ask(documents, "{new1}")
    assert ask(documents, "{new2}")


def test_a_giant_is_never_kept():
    documents: Documents[str] = Documents(100)
    giant = "{" + "a " * LONGEST + "}"
    assert not any(ask(documents, giant) for _ in range(5))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5_000)), max_size=300))
def test_it_never_holds_more_than_it_may(asked: list[tuple[int, int]]):
    documents: Documents[str] = Documents(5)
    for name, length in asked:
        ask(documents, f"{name}" * length)
        assert len(documents) <= 5
        assert documents.characters <= 5 * TYPICAL
