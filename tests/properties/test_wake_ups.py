"""Wake-ups between processes: few payloads within the size limit, without lost or changed entries."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.bus import merge_change
from app.live.postgres_bus import PostgresBus
from app.live.redis_bus import RedisBus
from app.live.tuning import LiveTuning

BUSES = PostgresBus("never connected", LiveTuning()), RedisBus("redis://never.connected", LiveTuning())
REFUSED_BYTES = 8_000  # by PostgreSQL, and more
owners = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=255)
sessions = st.just("") | st.uuids().map(str)
numbers = st.none() | st.integers(0, 2**53)
moves_of_some = st.lists(st.tuples(owners, sessions, numbers), min_size=1, max_size=120)


@pytest.mark.parametrize("bus", BUSES)
@given(some=moves_of_some)
def test_payloads_hold_each_change_once_within_the_size_limit(bus, some):
    changes = {}
    for owner, session, number in some:
        merge_change(changes, (owner, session), number)
    payloads = list(bus.payloads(changes))
    assert all(len(payload.encode()) < max(REFUSED_BYTES, bus.max_payload_bytes + 100) for payload in payloads)
    decoded = [tuple(move) for payload in payloads for move in json.loads(payload)[1]]
    assert decoded == [(owner, session, number) for (owner, session, _), number in changes.items()]
    assert all(len(a.encode()) + len(b.encode()) > bus.max_payload_bytes for a, b in pairwise(payloads))


@given(numbers=st.lists(numbers, min_size=1))
def test_merged_changes_keep_the_highest_revision_and_text_growth(numbers):
    changes = {}
    for number in numbers:
        merge_change(changes, ("ann", "session"), number)
    furthest = max((n for n in numbers if n is not None), default=None)
    assert set(changes.values()) == {furthest, *numbers} & {furthest, None}
    assert len(changes) == len(set(changes.values()))
