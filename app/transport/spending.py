"""What each owner has spent in the last window of time, by slot.

A window has SLOTS slots. A slot counts until all of it is older than the window. So no window, wherever it begins, has
more than the limit, and what an owner spends is free again at most one slot after the window.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, Protocol

SLOTS = 30


class Spent(NamedTuple):
    """Whether a cost was granted, and what counts now: costs, with the seconds until each is free, the next first."""

    granted: bool
    costs: list[tuple[float, int]]


class Spending(Protocol):
    """Where the owners' costs are kept."""

    @property
    def healthy(self) -> bool:
        """False while the processes that share the costs cannot reach them."""

    async def spend(self, owner: str, cost: int) -> Spent:
        """Adds the cost to what the owner has spent, unless that would exceed the limit."""

    async def close(self) -> None:
        """Closes its connections."""


class ProcessSpending:
    """In this process. `limit` is the largest cost in `seconds`; an owner takes memory until its costs are free."""

    healthy = True

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._limit, self._slot_seconds, self._clock = limit, seconds / SLOTS, clock
        self._owners: OrderedDict[str, dict[int, int]] = OrderedDict()  # the last one to spend comes last

    def __len__(self) -> int:
        return len(self._owners)

    async def spend(self, owner: str, cost: int) -> Spent:
        """Adds the cost to what the owner has spent, unless that would exceed the limit."""
        now = self._clock()
        slot = int(now // self._slot_seconds)
        self._forget(slot)
        costs = {s: spent for s, spent in self._owners.get(owner, {}).items() if _counts(s, slot)}
        granted = sum(costs.values()) + cost <= self._limit
        if granted:
            costs[slot] = costs.get(slot, 0) + cost
            self._owners[owner] = costs
            self._owners.move_to_end(owner)
        return Spent(granted, [((s + SLOTS + 1) * self._slot_seconds - now, spent) for s, spent in costs.items()])

    async def close(self) -> None:
        """Nothing is open."""

    def _forget(self, slot: int) -> None:
        """Removes the owners whose last cost is free."""
        while self._owners:
            owner, costs = next(iter(self._owners.items()))
            if _counts(next(reversed(costs)), slot):
                return
            del self._owners[owner]


def _counts(spent_in: int, slot: int) -> bool:
    return spent_in + SLOTS >= slot
