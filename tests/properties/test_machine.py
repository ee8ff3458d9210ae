"""The model-based machine, on the real API."""

import asyncio
from uuid import uuid4

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.invariants import assert_nothing_broken
from tests.properties.machine import Machine


async def test_sessions_and_messages_do_what_their_model_does(server, database_url):
    class Here(Machine):
        url = server.url

        def person(self):
            return server.person(f"machine-{uuid4().hex[:12]}").token

    shape = settings(max_examples=settings().max_examples // 8, stateful_step_count=20)
    await asyncio.to_thread(run_state_machine_as_test, Here, settings=shape)
    await assert_nothing_broken(database_url)
