"""The session cache: a value is found under the head it was kept under, memory is bounded, a drop leaves nothing."""

from sys import getsizeof
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.db.reading.session_cache import KeptSession, SessionCache

MAX_BYTES = 40_000
OWNERS, SESSIONS = st.sampled_from(["ann", "bob"]), st.integers(0, 40).map(lambda number: f"session {number}")
TEXTS = st.builds(lambda letter, length: letter * length, st.sampled_from("aé漢🙂"), st.integers(0, 3_000))
VALUES = st.lists(st.tuples(TEXTS, st.integers()), max_size=4) | st.none()
KEEP = st.tuples(st.just("keep"), OWNERS, SESSIONS, st.integers(1, 3), st.tuples(TEXTS, st.integers(0, 60)), VALUES)
CHANGE = st.tuples(st.just("change"), OWNERS, SESSIONS, st.integers(1, 3))
STEPS = st.lists(st.one_of(KEEP, KEEP, KEEP, CHANGE, st.tuples(st.just("clear"))), max_size=60)


def keeps(cache, owner, session, head, what, value):
    kept = cache.session(owner, session, head)
    if kept is not None:
        kept.keep(what, value)


def finds(cache, owner, session, head, what):
    kept = cache.session(owner, session, head)
    found = kept and kept.get(what)
    return found and found[0]


def memory(value, seen):
    """The bytes of everything that is reachable, each object once, each text with its UTF-8 form."""
    if id(value) in seen or isinstance(value, SessionCache):
        return 0
    seen.add(id(value))
    if isinstance(value, str):
        return getsizeof(value) + (0 if value.isascii() else len(value.encode()) + 1)
    if isinstance(value, KeptSession):
        return getsizeof(value) + sum(memory(getattr(value, name), seen) for name in value.__slots__)
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    return getsizeof(value) + sum(memory(part, seen) for part in (parts if isinstance(parts, list | tuple) else ()))


@given(STEPS)
def test_memory_never_exceeds_the_maximum(steps):
    cache = SessionCache(MAX_BYTES)
    for step, *arguments in steps:
        act: Any = {"keep": keeps, "change": SessionCache.changed, "clear": SessionCache.clear}[step]
        act(cache, *arguments)
        assert memory(cache._sessions, set()) <= cache.bytes <= MAX_BYTES


@given(STEPS)
def test_what_is_found_was_kept_last_under_the_same_owner_session_and_head(steps):
    cache, model = SessionCache(MAX_BYTES), {}
    for step, *arguments in steps:
        if step == "keep":
            owner, session, head, what, value = arguments
            kept = cache.session(owner, session, head)
            found = kept and kept.get(what)
            assert found is None or found[0] == model[owner, session, head, what]
            model[owner, session, head, what] = value
            if kept is not None:
                kept.keep(what, value)
        elif step == "change":
            cache.changed(*arguments)
        else:
            cache.clear()


def test_a_stranger_finds_nothing_under_the_same_session():
    cache = SessionCache(MAX_BYTES)
    keeps(cache, "ann", "s", 1, ("page",), "hers")
    assert finds(cache, "bob", "s", 1, ("page",)) is None
    assert finds(cache, "ann", "s", 1, ("page",)) == "hers"


def test_another_head_finds_nothing_and_a_later_one_replaces():
    cache = SessionCache(MAX_BYTES)
    keeps(cache, "ann", "s", 2, ("page",), "at 2")
    assert cache.session("ann", "s", 1) is None
    assert finds(cache, "ann", "s", 3, ("page",)) is None
    assert cache.session("ann", "s", 2) is None


def test_the_least_recently_used_session_is_evicted():
    cache, names = SessionCache(MAX_BYTES), "abcdefghijklmnop"
    for name in names:
        keeps(cache, "ann", name, 1, ("page",), name * 3_000)
        assert finds(cache, "ann", "a", 1, ("page",))
    newest = [name for name in names[1:] if cache.has("ann", name, 1)]
    assert 0 < len(newest) < 15
    assert newest == list(names[-len(newest) :])
    assert cache.evictions == 15 - len(newest)


def test_one_session_leaves_room_for_others():
    cache = SessionCache(MAX_BYTES)
    keeps(cache, "ann", "short", 1, ("page",), "x")
    for page in range(500):
        keeps(cache, "ann", "long", 1, ("page", page), "x" * 500)
    assert finds(cache, "ann", "short", 1, ("page",)) == "x"
    assert finds(cache, "ann", "long", 1, ("page", 499))
    assert not finds(cache, "ann", "long", 1, ("page", 0))


def test_a_large_value_is_not_kept():
    cache = SessionCache(MAX_BYTES)
    keeps(cache, "ann", "s", 1, ("page",), "x" * MAX_BYTES)
    assert finds(cache, "ann", "s", 1, ("page",)) is None


def test_a_change_drops_what_an_operation_holds_and_what_it_still_reads():
    cache = SessionCache(MAX_BYTES)
    kept = cache.session("ann", "s", 1)
    kept.keep(("page",), "secret")
    cache.changed("ann", "s", 2)
    assert kept.get(("page",)) is None
    kept.keep(("page",), "secret")  # read before the change, kept after it
    assert kept.get(("page",)) is None
    assert finds(cache, "ann", "s", 1, ("page",)) is None


def test_a_late_change_leaves_what_was_read_after_it():
    cache = SessionCache(MAX_BYTES)
    keeps(cache, "ann", "s", 2, ("page",), "at 2")
    cache.changed("ann", "s", 2)
    assert finds(cache, "ann", "s", 2, ("page",)) == "at 2"
