"""The session cache: a value is found under the head it was kept under, memory is bounded, a drop leaves nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from sys import getsizeof
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.reading.session_cache import KeptSession, SessionCache, size_of

MAX_BYTES = 40_000
STARTED = 1.0
TIME = datetime(2026, 11, 27, tzinfo=UTC)
OWNERS, SESSIONS = st.sampled_from(["ann", "bob"]), st.integers(0, 40).map(lambda number: f"session {number}")
TEXTS = st.builds(lambda letter, length: letter * length, st.sampled_from("aé漢🙂"), st.integers(0, 3_000))
VALUES = st.lists(st.tuples(TEXTS, st.integers()), max_size=4) | st.none()
KEEP = st.tuples(st.just("keep"), OWNERS, SESSIONS, st.integers(1, 3), st.tuples(TEXTS, st.integers(0, 60)), VALUES)
CHANGE = st.tuples(st.just("change"), OWNERS, SESSIONS, st.integers(1, 3))
STEPS = st.lists(st.one_of(KEEP, KEEP, KEEP, CHANGE, st.tuples(st.just("clear"))), max_size=60)


def reads(cache, owner, session, head, times=1, started=STARTED):
    """What is kept of the session at the last of so many reads."""
    return [cache.session(owner, session, head, started) for _ in range(times)][-1]


def keeps(cache, owner, session, head, what, value):
    kept = reads(cache, owner, session, head, times=3)
    if kept is not None:
        kept.keep(what, value)


def finds(cache, owner, session, head, what):
    kept = reads(cache, owner, session, head)
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
        assert memory(cache._sessions, set()) + getsizeof(cache._reads.counts) <= cache.bytes <= MAX_BYTES


@given(STEPS)
def test_what_is_found_was_kept_last_under_the_same_owner_session_and_head(steps):
    cache, model = SessionCache(MAX_BYTES), {}
    for step, *arguments in steps:
        if step == "keep":
            owner, session, head, what, value = arguments
            kept = reads(cache, owner, session, head, times=2)
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
    assert reads(cache, "ann", "s", 1, times=2) is None
    assert finds(cache, "ann", "s", 3, ("page",)) is None
    keeps(cache, "ann", "s", 3, ("page",), "at 3")
    assert reads(cache, "ann", "s", 2, times=2) is None


def test_a_session_that_is_not_used_makes_room_and_one_in_use_stays():
    cache, names = SessionCache(10 * MAX_BYTES), "abcdefghijklmnop"
    for name in names:
        kept = next(filter(None, (reads(cache, "ann", name, 1) for _ in range(100))))  # old counts are halved
        kept.keep(("page",), name * 30_000)
        assert finds(cache, "ann", "a", 1, ("page",))
        assert finds(cache, "ann", name, 1, ("page",))
    assert 0 < sum(cache.has("ann", name, 1) for name in names) < 15
    assert cache.evictions > 1


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
    kept = reads(cache, "ann", "s", 1, times=2)
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


def test_nothing_is_kept_at_the_first_read_under_a_head():
    cache = SessionCache(MAX_BYTES)
    for head in (1, 2, 3):
        assert reads(cache, "ann", "s", head) is None
    assert cache.rejections == 3
    assert reads(cache, "ann", "s", 3) is not None


def test_a_walk_through_more_sessions_than_fit_leaves_most_of_what_is_kept():
    cache = SessionCache(MAX_BYTES)
    for _ in range(4):
        for number in range(60):
            if kept := reads(cache, "ann", f"session {number}", 1):
                kept.keep(("page",), "x" * 3_000)
    assert cache.bytes > MAX_BYTES / 2
    assert cache.evictions < 20
    assert cache.rejections > 180


def test_what_is_read_more_often_takes_the_place_of_what_is_not():
    cache = SessionCache(MAX_BYTES)
    for number in range(20):
        keeps(cache, "ann", f"session {number}", 1, ("page",), "x" * 3_000)
    assert cache.bytes > MAX_BYTES / 2
    for _ in range(6):
        keeps(cache, "ann", "new", 1, ("page",), "x" * 3_000)
    assert finds(cache, "ann", "new", 1, ("page",))


def test_another_start_of_postgresql_empties_the_cache():
    cache = SessionCache(MAX_BYTES)
    keeps(cache, "ann", "s", 1, ("page",), "before")
    held = reads(cache, "ann", "s", 1)
    assert reads(cache, "ann", "s", 1, times=2, started=2.0).get(("page",)) is None
    held.keep(("page",), "before")  # read before the start, kept after it
    assert reads(cache, "ann", "s", 1, started=2.0).get(("page",)) is None


def test_a_change_of_any_session_drops_the_lists_of_its_owner_only():
    cache = SessionCache(MAX_BYTES)
    keeps(cache, "ann", "s", 1, ("page",), "x")
    for owner in ("ann", "bob"):
        kept = [cache.lists(owner) for _ in range(2)][-1]
        kept.keep(("list",), "x")
    cache.changed("ann", "other", 1)
    assert cache.lists("ann").get(("list",)) is None
    assert cache.lists("bob").get(("list",))
    assert finds(cache, "ann", "s", 1, ("page",))


def test_lists_are_kept_although_their_owners_read_on_different_servers():
    cache, owners = SessionCache(MAX_BYTES), {"ann": -1.0, "bob": -2.0}
    for _ in range(3):
        for owner, started in owners.items():
            if kept := cache.lists(owner):  # as an operation does, before it reads a session
                kept.keep(("list",), owner)
            reads(cache, owner, "s", 1, started=started)
    assert [cache.lists(owner).get(("list",))[0] for owner in owners] == [*owners]


@given(st.lists(st.text() | st.integers() | st.none() | st.booleans() | st.just(Decimal("1.5")) | st.just(TIME)))
def test_the_size_of_a_value_is_an_upper_bound(values):
    for value in (values, tuple(values), [tuple(values)], *values):
        assert size_of(value) >= memory(value, set())


@pytest.mark.parametrize("max_bytes", [1, 100, 1_000, 2_000])
def test_a_cache_too_small_for_anything_keeps_nothing(max_bytes):
    cache = SessionCache(max_bytes)
    for head in range(1, 20):
        keeps(cache, "ann", "s", head, ("page",), "x")
        assert finds(cache, "ann", "s", head, ("page",)) is None
