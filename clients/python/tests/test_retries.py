"""Which operations are sent again after a lost response, and which are not."""

import logging

import pytest
from colloquy import AsyncClient, errors

from clients.python.tests.conftest import QUICK_RETRIES


async def test_a_lost_response_is_requested_again_and_the_write_happens_once(ann, proxy, proxied_client):
    session = (await proxied_client.create_session()).session
    proxy.lost_responses, proxy.requests = 2, 0
    message = await proxied_client.append_message(session.id, "USER", "once")
    assert (message.sequence, proxy.requests) == (1, 3)
    assert (await ann.sees(session.id, "messageCount"))["messageCount"] == 1


async def test_an_idempotency_key_makes_two_calls_one_write(proxied_client):
    first = await proxied_client.create_session(title="once", idempotency_key="mine")
    assert await proxied_client.create_session(title="once", idempotency_key="mine") == first
    with pytest.raises(errors.IdempotencyKeyReused):
        await proxied_client.create_session(title="other", idempotency_key="mine")


async def test_without_idempotency_keys_a_write_is_sent_once(ann, proxy):
    async with AsyncClient(proxy.url, ann.token, idempotency_keys=False, **QUICK_RETRIES) as client:
        session = (await client.create_session()).session
        proxy.lost_responses, proxy.requests = 1, 0
        with pytest.raises(errors.Unreachable):
            await client.append_message(session.id, "USER", "perhaps")
        assert proxy.requests == 1
        proxy.lost_responses, proxy.requests = 1, 0
        message = await client.append_message(session.id, "USER", "surely", key="k")
        assert (message.sequence, proxy.requests) == (2, 2)
        proxy.lost_responses, proxy.requests = 1, 0
        assert (await client.session(session.id)).message_count == 2
        assert proxy.requests == 2


async def test_a_business_error_is_not_retried(proxy, proxied_client):
    session = (await proxied_client.create_session()).session
    proxy.requests = 0
    with pytest.raises(errors.IllegalTransition):
        await proxied_client.set_session_status(session.id, "FAILED")
    assert proxy.requests == 1


async def test_the_number_of_attempts_is_limited(proxy, proxied_client):
    proxy.lost_responses, proxy.requests = 100, 0
    with pytest.raises(errors.Unreachable, match="did not answer"):
        await proxied_client.viewer()
    assert proxy.requests == 5


async def test_the_total_timeout_limits_attempts_and_waits(ann, proxy):
    async with AsyncClient(proxy.url, ann.token, attempts=10_000, total_timeout=0.3, max_wait=0.05) as client:
        proxy.lost_responses, proxy.requests = 10_000, 0
        with pytest.raises(errors.Unreachable):
            await client.viewer()
    assert 2 <= proxy.requests < 1_000


async def test_a_retry_is_logged_and_never_printed(proxy, proxied_client, caplog, capfd):
    caplog.set_level(logging.WARNING)
    proxy.lost_responses = 1
    await proxied_client.viewer()
    [record] = [record for record in caplog.records if record.name.startswith("colloquy")]
    assert record.getMessage().startswith("attempt 1 failed, retrying in ")
    assert capfd.readouterr() == ("", "")
