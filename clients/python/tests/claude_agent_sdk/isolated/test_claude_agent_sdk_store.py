"""What the peer's tests leave out: strangers, races, large entries, failures."""

import asyncio

import pytest
from claude_agent_sdk import ClaudeSDKError, list_sessions_from_store
from session_stores import store

KEY = {"project_key": "trip", "session_id": "a3c6a0f2-7d3e-4a57-8a3c-1b8f3a0c9d11"}
AGENT = {**KEY, "subpath": "subagents/agent-1"}


def entry(number: int, **fields) -> dict:
    return {"type": "user", "uuid": f"u{number}", "n": number, **fields}


async def test_a_transcript_is_its_owners(owner):
    async with store(owner) as own, store() as stranger:
        await own.append(KEY, [entry(1, text="\0\ud800 \u2028 ü", size=2**70)])
        await own.append(AGENT, [entry(2)])
        stored = await own.load(KEY)
        assert stored == [entry(1, text="\0\ud800 \u2028 ü", size=2**70)]
        assert await stranger.load(KEY) is None
        assert await stranger.list_sessions("trip") == []
        assert await stranger.list_session_summaries("trip") == []
        assert await stranger.list_subkeys(KEY) == []
        await stranger.delete(KEY)
        await stranger.append(KEY, [entry(3)])
        assert await own.load(KEY) == stored
        assert await own.list_subkeys(KEY) == ["subagents/agent-1"]
        assert await own.load(AGENT) == [entry(2)]
        await own.delete(KEY)
        assert await stranger.load(KEY) == [entry(3)]


async def test_concurrent_appends_of_two_processes_have_one_order(owner):
    async with store(owner) as one, store(owner) as other:
        appends = [own.append(KEY, [entry(n), entry(n + 1)]) for n in range(0, 16, 4) for own in (one,)]
        appends += [own.append(KEY, [entry(n), entry(n + 1)]) for n in range(2, 18, 4) for own in (other,)]
        await asyncio.gather(*appends)
        found = [each["n"] for each in await one.load(KEY)]
        assert sorted(found) == list(range(16))
        assert all(found[index + 1] == found[index] + 1 for index in range(0, 16, 2))
        assert await other.load(KEY) == await one.load(KEY)


async def test_an_entry_that_is_sent_again_is_stored_once(owner):
    async with store(owner) as own:
        await own.append(KEY, [entry(1), {"type": "tag", "tag": "x"}])
        await own.append(KEY, [entry(1), {"type": "tag", "tag": "x"}, entry(2)])
        tag = {"type": "tag", "tag": "x"}
        assert await own.load(KEY) == [entry(1), tag, tag, entry(2)]


async def test_an_entry_may_be_larger_than_a_record(owner):
    async with store(owner) as own:
        large = entry(1, image="é" * 200_000, data="x" * 1_200_000)
        await own.append(KEY, [large, entry(2)])
        await own.append(KEY, [entry(3)])
        assert await own.load(KEY) == [large, entry(2), entry(3)]


async def test_a_deleted_session_goes_on_in_another_process(owner):
    async with store(owner) as own, store(owner) as other:
        await own.append(KEY, [entry(1)])
        await own.append(AGENT, [entry(2)])
        await other.delete(KEY)
        assert (await own.load(KEY), await own.load(AGENT)) == (None, None)
        await own.append(KEY, [entry(3)])
        await own.append(AGENT, [entry(4)])
        assert (await other.load(KEY), await other.load(AGENT)) == ([entry(3)], [entry(4)])


async def test_the_sdk_lists_sessions_by_their_summaries(owner, tmp_path):
    from claude_agent_sdk import project_key_for_directory

    key = {**KEY, "project_key": project_key_for_directory(tmp_path)}
    async with store(owner) as own:
        text = "When does the train leave?"
        await own.append(key, [entry(1, message={"role": "user", "content": text}, timestamp="2026-01-01T00:00:00Z")])
        [found] = await list_sessions_from_store(own, directory=str(tmp_path))
        assert (found.session_id, found.first_prompt) == (KEY["session_id"], text)


@pytest.mark.parametrize("name", ["a/b", "100%", "\0\n", "x" * 300])
async def test_every_name_has_a_place_of_its_own(owner, name):
    async with store(owner) as own:
        await own.append({"project_key": name, "session_id": name}, [entry(1)])
        await own.append({"project_key": name, "session_id": name + "-"}, [entry(2)])
        await own.append({"project_key": name, "session_id": name, "subpath": name}, [entry(3)])
        assert await own.load({"project_key": name, "session_id": name}) == [entry(1)]
        assert await own.list_subkeys({"project_key": name, "session_id": name}) == [name]
        assert sorted(each["session_id"] for each in await own.list_sessions(name)) == [name, name + "-"]


async def test_a_failure_is_the_sdks_error(owner):
    async with store(owner) as own:
        with pytest.raises(ClaudeSDKError, match=r"[A-Z_]+: "):
            await own.append(KEY, [entry(1, data="x" * 80_000_000)])


def test_a_store_serves_several_event_loops(owner):
    own = store(owner)

    async def count(number: int) -> int:
        await own.append(KEY, [entry(number)])
        found = await own.load(KEY)
        await own.aclose()
        return len(found)

    assert [asyncio.run(count(number)) for number in range(3)] == [1, 2, 3]
    own.close()
