"""The state machine of `machine.py`, on the real API."""

import asyncio
from uuid import uuid4

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from app.db import session_totals
from tests.properties.machine import Machine
from tests.support.invariants import assert_nothing_broken


@pytest.mark.timeout(1_800)
async def test_sessions_and_messages_behave_like_the_model(server, database_url, monkeypatch):
    """Without shrinking: to shrink a run takes longer than all other tests together. Totals are counted all the time."""
    monkeypatch.setattr(session_totals, "MANY_CHANGED", 0)

    class Here(Machine):
        url = server.url

        def user(self):
            return server.user(f"machine-{uuid4().hex[:12]}").token

    found = [Phase.explicit, Phase.reuse, Phase.generate]
    shape = settings(max_examples=settings().max_examples // 12, stateful_step_count=40, phases=found)
    await asyncio.to_thread(run_state_machine_as_test, Here, settings=shape)
    await assert_nothing_broken(database_url)
