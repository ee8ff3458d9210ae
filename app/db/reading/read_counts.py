"""How often keys were read lately, which decides what a cache keeps: after TinyLFU (Einziger et al., 2017)."""

from collections.abc import Callable

MAXIMUM = 15
HALVES = bytes(count // 2 for count in range(256))


class ReadCounts:
    """Counts in a fixed number of slots, one byte each. Keys with equal slots share a count, so a count may be high.

    All counts are halved after `period()` reads of keys that are not kept, at most a quarter as many as there are
    slots: most slots are 0, and a key that is not read again is forgotten.
    """

    def __init__(self, slots: int, period: Callable[[], int]) -> None:
        self.slots, self.counts = slots, bytearray(slots)
        self._period, self._until_halved = period, slots // 4

    def repeat(self, slot: int) -> None:
        """Counts a read of a key that is kept."""
        if self.counts[slot] < MAXIMUM:
            self.counts[slot] += 1

    def count(self, slot: int) -> int:
        """Counts a read of another key; returns the number of its reads."""
        self._until_halved -= 1
        if self._until_halved < 0:
            self.counts = self.counts.translate(HALVES)
            self._until_halved = min(self._period(), self.slots // 4)
        reads = self.counts[slot] + 1
        if reads <= MAXIMUM:
            self.counts[slot] = reads
        return reads
