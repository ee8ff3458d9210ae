"""The state machine of `record_machine.py`, on the real API."""

import asyncio
from uuid import uuid4

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.record_machine import RecordMachine
from tests.support.invariants import assert_nothing_broken


@pytest.mark.timeout(1_800)
async def test_records_behave_like_the_model(server, database_url):
    """Without shrinking: to shrink a run takes longer than all other tests together."""

    class Here(RecordMachine):
        url = server.url

        def user(self):
            return server.user(f"machine-{uuid4().hex[:12]}")

    Here.database_url = database_url
    found = [Phase.explicit, Phase.reuse, Phase.generate]
    shape = settings(max_examples=settings().max_examples // 8, stateful_step_count=40, phases=found)
    await asyncio.to_thread(run_state_machine_as_test, Here, settings=shape)
    await assert_nothing_broken(database_url)
