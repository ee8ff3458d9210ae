"""Subscriptions that continue across lost connections."""

import asyncio

import pytest
from colloquy import AsyncClient, errors
from colloquy.live import CaughtUp, MessageAdded, RecordChanged, SessionChanged
from colloquy.operations.record import new_record


async def read_until(events, event_type):
    """The events up to the first of this type, itself included."""
    received = []
    async for event in events:
        received.append(event)
        if isinstance(event, event_type):
            return received
    raise AssertionError(f"no {event_type.__name__} among {received}")


async def test_a_subscription_without_follow_ends_after_caught_up(client, stranger):
    session = (await client.create_session()).session
    await client.append_message(session.id, "USER", "hello")
    events = [event async for event in client.events(session.id, session.event_cursor, follow=False)]
    assert [type(event) for event in events] == [SessionChanged, MessageAdded, CaughtUp]
    assert events[1].message.text == "hello"
    with pytest.raises(errors.NotFound):
        await anext(stranger.events(session.id))


async def test_a_reader_that_leaves_most_events_unread_leaves_at_once(client):
    session = (await client.create_session()).session
    await asyncio.gather(*(client.append_message(session.id, "USER", f"{number}") for number in range(100)))
    events = client.events(session.id, session.event_cursor)
    await anext(events)
    async with asyncio.timeout(8):  # websockets gives up after 10 s
        await events.aclose()


async def test_a_subscription_reconnects_and_misses_nothing(proxied_client, proxy, client):
    session = (await client.create_session(title="Live")).session
    events = proxied_client.events(session.id)
    await read_until(events, CaughtUp)
    await client.append_message(session.id, "ASSISTANT", "one")
    await read_until(events, MessageAdded)
    proxy.disconnect()
    await client.append_message(session.id, "ASSISTANT", "two")
    proxy.disconnect()
    await client.append_message(session.id, "ASSISTANT", "three")
    texts = [(await read_until(events, MessageAdded))[-1].message.text for _ in range(2)]
    assert texts == ["two", "three"]
    await events.aclose()


async def test_viewer_events_reconnect_and_show_only_the_owners_sessions(proxied_client, proxy, client, stranger):
    events = proxied_client.viewer_events()
    await read_until(events, CaughtUp)
    first = (await client.create_session(title="First")).session
    assert (await read_until(events, SessionChanged))[-1].session.id == first.id
    proxy.disconnect()
    second = (await client.create_session(title="Second")).session
    received = set()
    while second.id not in received:
        received.add((await read_until(events, SessionChanged))[-1].session.id)
    await events.aclose()
    assert [type(event) for event in [event async for event in stranger.viewer_events(follow=False)]] == [CaughtUp]


async def test_viewer_events_have_live_records_of_their_owner(client, stranger):
    name = ("live", "cart"), "open"
    events = client.viewer_events()
    await read_until(events, CaughtUp)
    [stored] = await client.put_records([new_record(*name, {"items": 2})])
    changed = (await read_until(events, RecordChanged))[-1]
    assert ((changed.namespace, changed.key), changed.record) == (name, stored)
    await client.delete_records([name])
    while changed.record is not None:
        changed = (await read_until(events, RecordChanged))[-1]
    assert (changed.namespace, changed.key) == name
    await events.aclose()
    assert [type(event) for event in [event async for event in stranger.viewer_events(follow=False)]] == [CaughtUp]


async def test_a_token_is_requested_for_every_connection(ann, proxy, client):
    session = (await client.create_session()).session
    requested = []

    async def token() -> str:
        requested.append(None)
        return ann.token

    async with AsyncClient(proxy.url, token) as subscriber:
        events = subscriber.events(session.id)
        await read_until(events, CaughtUp)
        proxy.disconnect()
        await client.append_message(session.id, "USER", "hello")
        await read_until(events, MessageAdded)
        await events.aclose()
    assert len(requested) == 2
