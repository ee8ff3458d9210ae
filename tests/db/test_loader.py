"""The dataloader: one batch of all keys until something waits for one, each key once; a failed batch is not cached."""

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
    values = [loader.load(key) for key in ("a", "a", "b")]
    cancelled, *others = [asyncio.ensure_future(value) for value in values]
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await asyncio.gather(*others) == ["aa", "bb"]


async def test_a_value_that_need_not_be_read_comes_with_its_batch(loader, batches):
    known, read = loader.load_known("a", "known"), loader.load("b")
    assert not known.done()
    assert await read == "bb"
    assert (known.done(), known.result()) == (True, "known")
    assert await loader.load_known("c", "alone") == "alone"
    assert batches == [["b"]]


async def test_a_value_has_no_result_before_its_batch_is_done(loader):
    loader.load("a")
    with pytest.raises(asyncio.InvalidStateError):
        loader.loaded("a")
    with pytest.raises(KeyError):
        loader.loaded("b")


async def test_nothing_is_read_before_something_waits(loader, batches):
    values = [loader.load(key) for key in ("a", "b")]
    await asyncio.sleep(0)
    assert batches == []
    assert await values[0] == "aa"
    assert batches == [["a", "b"]]


async def test_a_known_value_comes_at_once(loader, batches):
    loader.prime("a", "primed")
    assert loader.known("a") == "primed"
    read = loader.known("b")
    assert read is loader.known("b")
    assert await read == loader.known("b") == "bb"
    assert batches == [["b"]]


async def test_a_failed_value_is_no_known_one(loader):
    value = loader.load("fail")
    with pytest.raises(LookupError):
        await value
    with pytest.raises(LookupError):
        await loader.known("fail")


async def test_a_callback_runs_before_those_who_wait(loader):
    order = []
    value = loader.load("a")
    loader.when_read(lambda: order.append(("read", value.value)))
    order.append(await value)
    assert order == [("read", "aa"), "aa"]


async def test_a_primed_key_is_not_read(loader, batches):
    loader.prime("a", "known")
    assert await loader.load("a") == "known"
    assert batches == []
