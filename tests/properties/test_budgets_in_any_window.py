"""No window of time, wherever it begins, has more than the budget; and what was spent comes back in time."""

from hypothesis import given
from hypothesis import strategies as st

from app.transport.spending import SLOTS, ProcessSpending

LIMIT, SECONDS = 50, 60
SLACK = SECONDS / SLOTS + 1e-6

steps = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.integers(1, LIMIT),
        st.floats(0, 2 * SECONDS, allow_nan=False) | st.sampled_from([0.0, 2.0, 60.0, 62.0]),
    ),
    max_size=60,
)


@given(steps)
async def test_no_window_grants_more_than_the_budget_and_costs_are_free_in_time(steps):
    now = 1_000.0
    spending = ProcessSpending(LIMIT, SECONDS, clock=lambda: now)
    granted: list[tuple[str, float, int]] = []
    for owner, cost, pause in steps:
        now += pause
        spent = await spending.spend(owner, cost)
        within = sum(c for o, at, c in granted if o == owner and at > now - SECONDS)
        at_most = sum(c for o, at, c in granted if o == owner and at > now - SECONDS - SLACK)
        if spent.granted:
            assert within + cost <= LIMIT
            granted.append((owner, now, cost))
        else:
            assert at_most + cost > LIMIT
        assert within <= sum(c for _, c in spent.costs) <= LIMIT
        assert all(0 < seconds <= SECONDS + SLACK for seconds, _ in spent.costs)
    now += SECONDS + SLACK + 1
    assert (await spending.spend("carl", 1)).granted
    assert len(spending) == 1, "owners whose costs are free take no memory"


@given(st.integers(1, LIMIT), st.floats(0, 59))
async def test_a_refused_cost_is_granted_once_enough_is_free(cost, offset):
    now = 1_000.0 + offset
    spending = ProcessSpending(LIMIT, SECONDS, clock=lambda: now)
    assert (await spending.spend("ann", LIMIT)).granted
    refused = await spending.spend("ann", cost)
    assert not refused.granted
    now += refused.costs[0][0] + 1e-6
    assert (await spending.spend("ann", cost)).granted
