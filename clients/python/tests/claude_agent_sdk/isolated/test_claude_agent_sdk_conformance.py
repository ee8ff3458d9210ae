"""The 14 contracts of claude_agent_sdk.testing."""

from contextlib import AsyncExitStack

from claude_agent_sdk.testing import run_session_store_conformance
from session_stores import store


async def test_the_store_keeps_the_sdks_14_contracts():
    async with AsyncExitStack() as stack:

        async def new_store():
            return await stack.enter_async_context(store())

        await run_session_store_conformance(new_store)
