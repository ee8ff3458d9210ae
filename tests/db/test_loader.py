"""The dataloader: one batch per turn of the event loop, each key once; a failed batch is not cached."""

import asyncio

import pytest

from app.db.reading.loader import DataLoader


@pytest.fixture
def batches():
    return []


@pytest.fixture
async def loader(batches):
    async def double(keys):
        batches.append(keys)
        if "fail" in keys:
            raise LookupError("no such batch")
        return [key * 2 for key in keys]

    return DataLoader(double)


async def test_keys_of_one_turn_are_read_in_one_batch_and_once(loader, batches):
    assert await asyncio.gather(*map(loader.load, ("a", "b", "a"))) == ["aa", "bb", "aa"]
    assert await asyncio.gather(*map(loader.load, ("b", "c"))) == ["bb", "cc"]
    assert batches == [["a", "b"], ["c"]]


async def test_the_keys_of_a_failed_batch_are_read_again(loader, batches):
    failed = await asyncio.gather(*map(loader.load, ("a", "fail")), return_exceptions=True)
    assert [type(error) for error in failed] == [LookupError, LookupError]
    assert await loader.load("a") == "aa"
    assert batches == [["a", "fail"], ["a"]]


async def test_a_cancelled_reader_leaves_the_others_their_values(loader):
    cancelled, other = loader.load("a"), loader.load("b")
    cancelled.cancel()
    assert await other == "bb"


async def test_a_primed_key_is_not_read(loader, batches):
    loader.prime("a", "known")
    assert await loader.load("a") == "known"
    assert batches == []
