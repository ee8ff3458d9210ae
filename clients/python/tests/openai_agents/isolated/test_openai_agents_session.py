"""What the peer's tests leave out: strangers, races, lost sessions, the sidebar."""

import asyncio

import pytest
from agents.exceptions import AgentsException
from colloquy import Client
from own_sessions import URL, session, token

CALL = {"type": "function_call", "call_id": "c1", "name": "trains", "arguments": '{"to":"Lisbon"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "at nine"}


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def numbered(first: int, end: int) -> list[dict]:
    return [user(str(number)) for number in range(first, end)]


async def test_a_conversation_is_its_owners(owner):
    async with session("trip", owner) as own, session("trip") as stranger:
        items = [user("When does the train leave?\0\ud800"), CALL, OUTPUT, {"role": "assistant", "content": "At nine."}]
        await own.add_items(items)
        assert await own.get_items() == items
        assert await stranger.get_items() == []
        assert await stranger.pop_item() is None
        await stranger.clear_session()
        await stranger.add_items([user("mine")])
        assert await own.get_items() == items
        assert await stranger.get_items() == [user("mine")]


async def test_the_sidebar_shows_the_conversation(owner):
    async with session("trip", owner) as own:
        await own.add_items([user("When does the train leave?"), CALL, OUTPUT])
    with Client(URL, token(owner)) as client:
        found = client.session(key="trip")
        assert (found.title, found.message_count, found.status) == ("When does the train leave?", 3, "ACTIVE")
        assert [message.role for message in client.messages(found.id)] == ["USER", "ASSISTANT", "TOOL"]
        client.append_message(found.id, "USER", "And back?")
        client.append_message(found.id, "USER", raw="[1]")
    async with session("trip", owner) as again:
        assert (await again.get_items())[-2:] == [user("And back?"), user("[1]")]


async def test_every_item_is_popped_once_by_concurrent_callers(owner):
    async with session("race", owner) as one, session("race", owner) as other:
        await one.add_items(numbered(0, 20))
        popped = await asyncio.gather(*(own.pop_item() for _ in range(12) for own in (one, other)))
        assert sorted(int(item["content"]) for item in popped if item) == list(range(20))
        assert popped.count(None) == 4
        assert await one.get_items() == []


async def test_pops_and_additions_at_the_same_time_lose_nothing(owner):
    async with session("race", owner) as own:
        await own.add_items(numbered(0, 10))
        added = (own.add_items(numbered(number, number + 2)) for number in range(10, 30, 2))
        results = await asyncio.gather(*(own.pop_item() for _ in range(10)), *added)
        popped = [item["content"] for item in results if item]
        left = [item["content"] for item in await own.get_items()]
        assert len(popped) == 10
        assert sorted(map(int, popped + left)) == list(range(30))


async def test_two_processes_open_one_session(owner):
    sessions = [session("new", owner) for _ in range(6)]
    await asyncio.gather(*(own.add_items([user("hello")]) for own in sessions))
    assert len(await sessions[0].get_items()) == 6
    for own in sessions:
        await own.aclose()


async def test_windows_reach_beyond_one_page(owner):
    async with session("long", owner) as own:
        await own.add_items(numbered(0, 230))
        assert await own.get_items() == numbered(0, 230)
        assert await own.get_items(150) == numbered(80, 230)
        assert await own.get_items(100) == numbered(130, 230)
        assert await own.get_items(0) == []


async def test_a_cleared_session_goes_on(owner):
    async with session("trip", owner) as own, session("trip", owner) as other:
        await own.add_items(numbered(0, 3))
        await other.clear_session()
        await other.clear_session()
        assert await own.get_items() == []
        await own.add_items([user("again")])
        assert await other.get_items() == [user("again")]


@pytest.mark.parametrize("session_id", ["", "a/b", "100%", "\0\n", "x" * 300])
async def test_every_session_id_has_a_session_of_its_own(owner, session_id):
    async with session(session_id, owner) as own, session(session_id + "-", owner) as other:
        await own.add_items([user("here")])
        await other.add_items([user("there")])
        assert await own.get_items() == [user("here")]


async def test_a_failure_is_the_frameworks_error(owner):
    async with session("trip", owner) as own:
        with pytest.raises(AgentsException, match="VALIDATION"):
            await own.add_items([user("x" * 2_000_000)])
        with Client(URL, token(owner)) as client:
            client.delete_session(client.session(key="trip").id, "SOFT")
        with pytest.raises(AgentsException, match="NOT_FOUND"):
            await own.add_items([user("hello")])


def test_a_session_serves_several_event_loops(owner):
    own = session("trip", owner)

    async def count(number: int) -> int:
        await own.add_items(numbered(number, number + 1))
        found = await own.get_items()
        await own.aclose()
        return len(found)

    assert [asyncio.run(count(number)) for number in range(3)] == [1, 2, 3]
    own.close()
