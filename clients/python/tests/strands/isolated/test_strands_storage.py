"""What the peer's tests leave out: strangers, names, failures, event loops, an agent that is restored."""

import asyncio

import pytest
from repositories import storage
from strands.types.exceptions import StorageError


async def test_a_value_is_its_owners(owner):
    async with storage(owner) as own, storage() as stranger:
        await own.write("trips/lisbon", bytes(range(256)))
        assert await own.read("trips/lisbon") == bytes(range(256))
        assert (await stranger.read("trips/lisbon"), await stranger.list("")) == (None, [])
        await stranger.delete("trips/lisbon")
        await stranger.write("trips/lisbon", b"")
        assert await own.read("trips/lisbon") == bytes(range(256))
        assert await stranger.read("trips/lisbon") == b""


async def test_keys_are_listed_by_a_prefix_of_their_text(owner):
    keys = ["a", "a/b", "a/b/c", "a/bc", "a b/c", "ab", "b%2F", "ü/\n"]
    async with storage(owner) as own:
        for key in keys:
            await own.write(key, key.encode())
        assert await own.list() == sorted(keys)
        assert await own.list("a/b") == ["a/b", "a/b/c", "a/bc"]
        assert await own.list("a/b/") == ["a/b/c"]
        assert await own.list("a") == ["a", "a b/c", "a/b", "a/b/c", "a/bc", "ab"]
        assert [await own.read(key) for key in keys] == [key.encode() for key in keys]
        scoped = own.namespace("a")
        assert await scoped.list() == ["b", "b/c", "bc"]
        await own.delete("a/b")
        assert await own.list("a/b") == ["a/b/c", "a/bc"]


async def test_more_keys_than_a_page_are_listed(owner):
    async with storage(owner) as own:
        await asyncio.gather(*(own.write(f"k/{number:03}", b"x") for number in range(130)))
        assert await own.list("k/") == [f"k/{number:03}" for number in range(130)]


async def test_a_failure_is_the_frameworks_error(owner):
    async with storage(owner) as own:
        with pytest.raises(StorageError, match="VALIDATION"):
            await own.write("large", b"x" * 2_000_000)
        with pytest.raises(StorageError, match="VALIDATION"):
            await own.write("x" * 300, b"")


def test_a_storage_serves_several_event_loops(owner):
    own = storage(owner)

    async def count(number: int) -> int:
        await own.write(str(number), b"x")
        found = await own.list()
        await own.aclose()
        return len(found)

    assert [asyncio.run(count(number)) for number in range(3)] == [1, 2, 3]
    own.close()
