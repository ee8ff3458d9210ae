"""Events, followed across connections that break."""

import pytest
from colloquy import AsyncClient, errors
from colloquy.live import CaughtUp, MessageAdded, SessionChanged


async def told(events, kind):
    """The events up to the first of this kind, itself included."""
    seen = []
    async for event in events:
        seen.append(event)
        if isinstance(event, kind):
            return seen
    raise AssertionError(f"no {kind.__name__} among {seen}")


async def test_what_happened_is_told_once_and_ends(client, stranger):
    session = (await client.create_session()).session
    await client.append_message(session.id, "USER", "hello")
    events = [event async for event in client.events(session.id, session.event_cursor, follow=False)]
    assert [type(event) for event in events] == [SessionChanged, MessageAdded, CaughtUp]
    assert events[1].message.text == "hello"
    with pytest.raises(errors.NotFound):
        await anext(stranger.events(session.id))


async def test_a_broken_connection_is_made_again_and_nothing_is_missed(ann, way, client):
    session = (await client.create_session(title="Live")).session
    async with AsyncClient(way.url, ann.token) as follower:
        events = follower.events(session.id)
        await told(events, CaughtUp)
        await client.append_message(session.id, "ASSISTANT", "one")
        await told(events, MessageAdded)
        way.cut()
        await client.append_message(session.id, "ASSISTANT", "two")
        way.cut()
        await client.append_message(session.id, "ASSISTANT", "three")
        seen = [(await told(events, MessageAdded))[-1].message.text for _ in range(2)]
        assert seen == ["two", "three"]
        await events.aclose()


async def test_everything_of_the_bearers_is_followed_across_a_broken_connection(ann, way, client, stranger):
    async with AsyncClient(way.url, ann.token) as follower:
        events = follower.viewer_events()
        await told(events, CaughtUp)
        first = (await client.create_session(title="First")).session
        assert (await told(events, SessionChanged))[-1].session.id == first.id
        way.cut()
        second = (await client.create_session(title="Second")).session
        seen = set()
        while second.id not in seen:
            seen.add((await told(events, SessionChanged))[-1].session.id)
        await events.aclose()
    assert [type(event) for event in [event async for event in stranger.viewer_events(follow=False)]] == [CaughtUp]


async def test_a_token_that_proves_nothing_follows_nothing(ann):
    async with AsyncClient(ann.url, "nonsense") as nobody:
        with pytest.raises(errors.Unauthenticated):
            await anext(nobody.events("ses_any"))
