"""Counts of reads: none too low while a key is read, and none for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.reading.read_counts import MAXIMUM, ReadCounts


@given(st.lists(st.integers(0, 20), max_size=30))
def test_a_count_is_never_below_the_reads(keys):
    counts, model = ReadCounts(1_000, lambda: 1_000), dict.fromkeys(range(21), 0)
    for key in keys:
        model[key] += 1
        assert counts.count(key % 5) >= min(model[key], MAXIMUM)


@pytest.mark.parametrize(("period", "others"), [(10, 280), (1_000_000, 760)])
def test_a_key_that_is_not_read_again_is_forgotten(period, others):
    counts = ReadCounts(1_000, lambda: period)
    for _ in range(3):
        counts.repeat(0)
    for other in range(1, others):
        counts.count(other)
    assert counts.counts[0] == 0
    assert sum(map(bool, counts.counts)) <= 250
