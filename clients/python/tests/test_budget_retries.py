"""A client whose owner has spent its budget waits as long as the server asks, and no longer than it may."""

import logging
import re

import pytest
from colloquy import AsyncClient, errors

from harness.server_settings import settings_for
from tests.support.servers import serving

BUDGET = 200
BUSY = "{ sessions(first: 99) { nodes { id } } }"  # costs 199


@pytest.fixture
async def limited(database_url):
    """A server on which each owner may spend a small budget in a second."""
    async with serving(settings_for(database_url, budget_cost=BUDGET, budget_seconds=1)) as server:
        yield server


async def exhaust(user):
    while (await user.responds(BUSY)).get("errors") is None:
        pass


def waits(caplog):
    """The seconds of each logged wait."""
    return [float(seconds) for seconds in re.findall(r"retrying in ([\d.]+) s", caplog.text)]


async def test_an_operation_above_the_budget_is_sent_again_when_the_server_would_grant_it(limited, caplog):
    caplog.set_level(logging.WARNING)
    ann = limited.user("ann-waits")
    async with AsyncClient(ann.url, ann.token, max_wait=0.01) as client:
        await exhaust(ann)
        session = (await client.create_session(title="after a wait")).session
    assert waits(caplog)
    assert all(seconds >= 1 for seconds in waits(caplog))
    assert [node["id"] for node in (await ann.asks("{ sessions { nodes { id } } }"))["sessions"]["nodes"]] == [
        session.id
    ]


async def test_an_operation_that_cannot_be_repeated_is_not_sent_again(limited, caplog):
    ann = limited.user("ann-once")
    async with AsyncClient(ann.url, ann.token, idempotency_keys=False) as client:
        await exhaust(ann)
        with pytest.raises(errors.RateLimited) as refused:
            await client.create_session()
    assert refused.value.retry_after >= 1
    assert waits(caplog) == []


async def test_a_wait_beyond_the_total_timeout_is_not_begun(limited, caplog):
    ann = limited.user("ann-hurries")
    async with AsyncClient(ann.url, ann.token, total_timeout=0.9) as client:
        await exhaust(ann)
        with pytest.raises(errors.RateLimited):
            await client.viewer()
    assert waits(caplog) == []


async def test_a_subscription_starts_when_the_server_grants_it(limited):
    ann = limited.user("ann-follows")
    async with AsyncClient(ann.url, ann.token) as client:
        session = (await client.create_session()).session
        await exhaust(ann)
        async for event in client.events(session.id):
            assert type(event).__name__ == "CaughtUp"
            break


async def test_the_budget_of_one_owner_does_not_delay_another(limited, caplog):
    ann, bob = limited.user("ann-busy"), limited.user("bob-calm")
    await exhaust(ann)
    async with AsyncClient(bob.url, bob.token) as client:
        await client.viewer()
    assert waits(caplog) == []
