"""A token is sent to the server and goes nowhere else: not into exceptions, logs or output."""

import logging
import os
import subprocess
import sys
import traceback

import pytest
from colloquy import AsyncClient, ColloquyError, errors

from clients.python.tests.conftest import QUICK_RETRIES

PROGRAM = """
import colloquy, sys
with colloquy.Client(sys.argv[1], sys.argv[2], max_wait=0.01) as client:
    try:
        client.viewer()
    except colloquy.ColloquyError as error:
        sys.exit(0 if error.code == "UNREACHABLE" else 1)
"""


@pytest.fixture
def records(caplog):
    """A function that returns the records of the client and its libraries at DEBUG, as text.

    The server runs in the same process: its records are left out.
    """
    caplog.set_level(logging.DEBUG)

    def as_text() -> str:
        records = [record for record in caplog.records if not record.name.startswith(("uvicorn", "asyncio"))]
        return "".join(f"{record.getMessage()} {vars(record)}" for record in records)

    return as_text


async def test_no_log_record_has_the_token(ann, proxy, records):
    async with AsyncClient(proxy.url, ann.token, **QUICK_RETRIES) as client:
        session = (await client.create_session()).session
        proxy.lost_responses = 2
        await client.append_message(session.id, "USER", "hello")
        assert [event async for event in client.events(session.id, session.event_cursor, follow=False)]
    assert "colloquy.retries" in records()
    assert ann.token not in records()


@pytest.mark.parametrize("token", ["a.token.that-nobody-has-signed", "a.token\nthat-nobody-has-signed"])
async def test_no_exception_has_the_token(ann, proxy, records, token):
    tracebacks = []
    async with AsyncClient(proxy.url, lambda: token, **QUICK_RETRIES) as client:
        for request in (client.viewer, lambda: anext(client.viewer_events())):
            with pytest.raises(errors.Unauthenticated) as refused:
                await request()
            tracebacks += traceback.format_exception(refused.value)
        proxy.is_down = True
        with pytest.raises(ColloquyError) as failed:
            await client.viewer()
        tracebacks += traceback.format_exception(failed.value)
    assert "nobody-has-signed" not in "".join(tracebacks)
    assert "nobody-has-signed" not in records()


def test_a_program_that_configures_no_logging_sees_no_output():
    arguments = ["http://127.0.0.1:1", "secret"]
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
