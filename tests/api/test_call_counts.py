"""Call counts: how many functions of the program and of the engine run for a request. The counts need no quiet machine."""

import sys
from pathlib import Path

import graphql_compiled
import pytest

import app
from harness.server_settings import settings_for
from tests.api.test_statement_counts import W1, W2, W3
from tests.support.servers import serving

OURS = (str(Path(app.__file__).parent), str(Path(graphql_compiled.__file__).parent), "<compiled operation>")


@pytest.fixture(scope="module")
async def running(database_url):
    async with serving(settings_for(database_url, session_cache_bytes=0)) as server:
        yield server


async def calls(user, document, **variables):
    """The fewest calls of several requests: now and then a timer of the server runs beside one."""
    counts = []
    for _ in range(6):
        count = 0

        def profile(frame, event, _argument):
            nonlocal count
            count += event == "call" and frame.f_code.co_filename.startswith(OURS)

        sys.setprofile(profile)
        try:
            await user.asks(document, **variables)
        finally:
            sys.setprofile(None)
        counts.append(count)
    return min(counts)


@pytest.mark.plain_postgresql("an append has two steps there, and so more calls")
async def test_an_append_makes_few_calls(running):
    ann = running.user("ann")
    session = await ann.creates_session()
    assert await calls(ann, W3, session=session, text="t") <= 185


async def test_a_message_of_a_page_makes_few_calls(running):
    ann = running.user("ann")
    session = await ann.creates_session()
    counts = []
    for number in (10, 40):
        messages = [{"role": "ASSISTANT", "text": "t", "agentKey": "guide"} for _ in range(number)]
        await ann.does("appendMessages", sessionId=session, messages=messages)
        counts.append(await calls(ann, W1, id=session))
    assert (counts[1] - counts[0]) / 40 <= 9


async def test_a_session_of_a_list_makes_few_calls(running):
    ann = running.user("ann-of-a-list")
    counts = []
    for _ in range(2):
        for _ in range(8):
            session = await ann.creates_session()
            await ann.appends(session, "t", role="ASSISTANT", agentKey="guide")
        counts.append(await calls(ann, W2))
    assert (counts[1] - counts[0]) / 8 <= 18
