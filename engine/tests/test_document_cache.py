"""The document cache keeps what is in frequent use, whatever other documents arrive."""

from graphql_compiled.document_cache import MAX_DOCUMENT_LENGTH, MEAN_DOCUMENT_LENGTH, DocumentCache
from hypothesis import given
from hypothesis import strategies as st


def use(cache: DocumentCache[str], text: str) -> bool:
    """Look a text up as the engine does. Returns True for a hit."""
    if cache.get(text) is not None:
        return True
    cache.offer(text, text)
    return False


def test_a_text_is_cached_from_its_second_use() -> None:
    cache: DocumentCache[str] = DocumentCache(4)
    assert [use(cache, "{a}") for _ in range(4)] == [False, False, True, True]


def test_texts_used_once_are_not_cached_and_evict_nothing() -> None:
    cache: DocumentCache[str] = DocumentCache(4)
    frequent = [f"{{frequent{n}}}" for n in range(4)]
    for text in frequent * 3:
        use(cache, text)
    for n in range(10_000):
        use(cache, f"{{hostile{n}}}")
    assert all(use(cache, text) for text in frequent)
    assert len(cache) == 4


def test_texts_used_twice_do_not_evict_what_is_in_use() -> None:
    cache: DocumentCache[str] = DocumentCache(4)
    frequent = [f"{{frequent{n}}}" for n in range(4)]
    hits = 0
    for n in range(2_000):
        hits += sum(use(cache, text) for text in frequent)
        use(cache, f"{{hostile{n // 2}}}")
    assert hits >= 4 * 2_000 - 8


def test_new_frequent_texts_replace_old_ones() -> None:
    cache: DocumentCache[str] = DocumentCache(2)
    for text in ["{old1}", "{old2}"] * 50:
        use(cache, text)
    for text in ["{new1}", "{new2}"] * 100:
        use(cache, text)
    assert use(cache, "{new1}")
    assert use(cache, "{new2}")


def test_a_text_over_the_maximum_length_is_never_cached() -> None:
    cache: DocumentCache[str] = DocumentCache(100)
    text = "{" + "a " * MAX_DOCUMENT_LENGTH + "}"
    assert not any(use(cache, text) for _ in range(5))


def test_a_text_offered_twice_is_counted_once() -> None:
    cache: DocumentCache[str] = DocumentCache(4)
    assert [cache.offer("{a}", "a") for _ in range(4)] == [False, True, False, False]
    assert cache.characters == 3


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5_000)), max_size=300))
def test_the_bounds_always_hold(used: list[tuple[int, int]]) -> None:
    cache: DocumentCache[str] = DocumentCache(5)
    for name, length in used:
        use(cache, f"{name}" * length)
        assert len(cache) <= 5
        assert cache.characters <= 5 * MEAN_DOCUMENT_LENGTH
