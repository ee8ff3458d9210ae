"""Budgets: the largest cost of an owner's operations in a window of time, and how responses show what is left.

Every operation is charged before it runs, over every protocol. A subscription is charged when it starts; its events
are not: a write that was charged caused each of them, and an event that is refused would be lost.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from math import ceil
from typing import Any, NamedTuple

from graphql_compiled.engine import PreparedOperation

from app.errors import RateLimited
from app.transport.operation_costs import OperationCosts
from app.transport.spending import Spending, Spent

Headers = Sequence[tuple[bytes, bytes]]
POLICY = "cost"


class Charge(NamedTuple):
    """What an operation costs its owner, and what `remaining` is left of the budget. Times are seconds from now.

    The whole budget is there again after `reset_after`. A refused operation would be granted after `retry_after`.
    """

    policy: bytes
    cost: int
    remaining: int
    reset_after: float
    retry_after: int | None = None

    @property
    def extension(self) -> dict[str, Any]:
        """The value of `extensions.budget`."""
        reset_at = datetime.now(UTC) + timedelta(seconds=ceil(self.reset_after))
        return {"cost": self.cost, "remaining": self.remaining, "resetAt": f"{reset_at:%Y-%m-%dT%H:%M:%SZ}"}

    @property
    def headers(self) -> Headers:
        """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11)."""
        window = ceil(self.reset_after) if self.retry_after is None else self.retry_after
        limit = f'"{POLICY}";r={self.remaining};t={window}'.encode()
        return [(b"ratelimit-policy", self.policy), (b"ratelimit", limit)]


class OverBudget(RateLimited):
    """The owner has spent its budget; the operation has not run."""

    def __init__(self, charge: Charge) -> None:
        left, wait = f"{charge.remaining:,}", charge.retry_after
        super().__init__(f"The operation costs {charge.cost:,}; {left} of the budget is left. Retry in {wait} seconds.")
        self.charge, self.retry_after = charge, charge.retry_after

    @property
    def extensions(self) -> dict[str, Any]:
        """The code, `retryAfter` in seconds, and the budget."""
        return super().extensions | {"budget": self.charge.extension}


class Budgets:
    """Charges operations to the budgets of their owners: at most `limit` in any `seconds`."""

    def __init__(self, spending: Spending, costs: OperationCosts, *, limit: int, seconds: int) -> None:
        self.spending = spending
        self.counts = Counter(granted=0, refused=0)
        """Operations by what their owner's budget decided."""
        self._costs, self._limit = costs, limit
        self._policy = f'"{POLICY}";q={limit};w={seconds}'.encode()

    async def charge(self, owner: str, prepared: PreparedOperation, variables: Mapping[str, Any]) -> Charge:
        """Charges an operation to its owner. Raises OverBudget."""
        # An operation that costs more than a whole budget exceeds MAX_COST as well, which the engine reports.
        cost = min(self._costs.cost(prepared, variables), self._limit)
        spent = await self.spending.spend(owner, cost)
        self.counts["granted" if spent.granted else "refused"] += 1
        total = sum(cost for _, cost in spent.costs)
        reset_after = spent.costs[-1][0]
        charge = Charge(self._policy, cost, max(0, self._limit - total), reset_after)
        if not spent.granted:
            raise OverBudget(charge._replace(retry_after=_retry_after(spent, total + cost - self._limit)))
        return charge


def _retry_after(spent: Spent, excess: int) -> int:
    """Whole seconds until costs of at least `excess` are free."""
    freed = accumulate(cost for _, cost in spent.costs)
    enough = (seconds for (seconds, _), total in zip(spent.costs, freed, strict=True) if total >= excess)
    return max(1, ceil(next(enough, spent.costs[-1][0])))
