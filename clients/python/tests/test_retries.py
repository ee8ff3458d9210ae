"""What is sent again when an answer is lost, and what never is."""

import pytest
from colloquy import AsyncClient, errors


@pytest.fixture
async def broken(ann, way):
    """Ann's client, on the way that breaks."""
    async with AsyncClient(way.url, ann.token) as hers:
        yield hers


async def test_a_lost_answer_is_asked_for_again_and_the_write_happens_once(ann, way, broken):
    session = (await broken.create_session()).session
    way.lose, way.requests = 2, 0
    said = await broken.append_message(session.id, "USER", "once")
    assert (said.sequence, way.requests) == (1, 3)
    assert (await ann.sees(session.id, "messageCount"))["messageCount"] == 1


async def test_a_key_of_ones_own_makes_one_act_of_two_calls(broken):
    first = await broken.create_session(title="once", idempotency_key="mine")
    assert await broken.create_session(title="once", idempotency_key="mine") == first
    with pytest.raises(errors.IdempotencyKeyReused):
        await broken.create_session(title="other", idempotency_key="mine")


async def test_without_a_key_a_write_is_sent_once(ann, way):
    async with AsyncClient(way.url, ann.token, keys=False) as plain:
        session = (await plain.create_session()).session
        way.lose, way.requests = 1, 0
        with pytest.raises(errors.Unreachable):
            await plain.append_message(session.id, "USER", "perhaps")
        assert way.requests == 1
        way.lose, way.requests = 1, 0
        said = await plain.append_message(session.id, "USER", "surely", key="k")
        assert (said.sequence, way.requests) == (2, 2)
        way.lose, way.requests = 1, 0
        assert (await plain.session(session.id)).message_count == 2
        assert way.requests == 2


async def test_a_refusal_is_not_asked_for_again(way, broken):
    session = (await broken.create_session()).session
    way.requests = 0
    with pytest.raises(errors.IllegalTransition):
        await broken.set_session_status(session.id, "FAILED")
    assert way.requests == 1


async def test_attempts_end(way, broken):
    way.lose, way.requests = 100, 0
    with pytest.raises(errors.Unreachable, match="did not answer"):
        await broken.viewer()
    assert way.requests == 5


async def test_an_address_without_a_server_says_so(ann, way):
    async with AsyncClient(f"{ann.url}/healthz", ann.token) as lost:
        with pytest.raises(errors.Unreachable, match="no GraphQL behind this URL"):
            await lost.viewer()
