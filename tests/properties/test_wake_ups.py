"""Wake-ups between processes: few payloads within the size limit, without lost or changed entries."""

import json
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.live.bus import merge_change
from app.live.postgres_bus import PostgresBus
from app.live.redis_bus import RedisBus
from app.live.tuning import LiveTuning
from app.tracing.wake_ups import MAX_SENT_CAUSES

BUSES = PostgresBus("postgresql://never/connected", LiveTuning()), RedisBus("redis://never.connected", LiveTuning())
CAUSES = [f"00-{number:032x}-{number:016x}-01" for number in range(1, MAX_SENT_CAUSES + 1)]
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


class ManyCauses:
    """The most causes for every change."""

    def take(self, _owner, _session):
        return CAUSES


def read_by_an_older_replica(payload):
    """What a replica notified when the origin of a payload was the id of the process."""
    process_id, changes = json.loads(payload)
    if process_id == "its own":
        return []
    return [(owner, session, revision) for owner, session, revision in changes]


@pytest.mark.parametrize("bus", BUSES)
@given(some=moves_of_some)
def test_causes_stay_within_the_size_limit_and_an_older_replica_ignores_them(bus, some):
    changes = {}
    for owner, session, number in some:
        merge_change(changes, (owner, session), number)
    bus.causes = ManyCauses()
    try:
        payloads = list(bus.payloads(changes))
    finally:
        bus.causes = None
    assert all(len(payload.encode()) < max(REFUSED_BYTES, bus.max_payload_bytes + 100) for payload in payloads)
    notified = [change for payload in payloads for change in read_by_an_older_replica(payload)]
    assert notified == [(owner, session, number) for (owner, session, _), number in changes.items()]
    causes = [cause for payload in payloads for _, cause in json.loads(payload)[0][2]]
    assert causes == CAUSES * len(changes)


@pytest.mark.parametrize("bus", BUSES)
def test_a_wake_up_of_an_older_replica_notifies(bus):
    notified = []
    bus.add_listener(("ann", "session"), SimpleNamespace(notify=notified.append))
    bus.on_payload(json.dumps(["an older process", [["ann", "session", 7], ["bob", "session", 8]]]))
    bus.remove_listener(("ann", "session"))
    assert notified == [7]


@given(numbers=st.lists(numbers, min_size=1))
def test_merged_changes_keep_the_highest_revision_and_text_growth(numbers):
    changes = {}
    for number in numbers:
        merge_change(changes, ("ann", "session"), number)
    furthest = max((n for n in numbers if n is not None), default=None)
    assert set(changes.values()) == {furthest, *numbers} & {furthest, None}
    assert len(changes) == len(set(changes.values()))
