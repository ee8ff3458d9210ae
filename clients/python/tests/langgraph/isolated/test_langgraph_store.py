"""What the peer's tests leave out: strangers, filters, texts, lifetimes, names."""

import asyncio

import pytest
from langgraph.store.base import InvalidNamespaceError, PutOp
from own_stores import store

CATS = ("animals", "cats")


def keys(found) -> list[str]:
    return [item.key for item in found]


def test_an_item_is_stored_for_its_owner(own_store):
    own_store.put(CATS, "tom", {"age": 3, "likes": ["fish"]})
    first = own_store.get(CATS, "tom")
    assert (first.value, first.namespace, first.key) == ({"age": 3, "likes": ["fish"]}, CATS, "tom")
    own_store.put(CATS, "tom", {"age": 4})
    second = own_store.get(CATS, "tom")
    assert (second.value, second.created_at) == ({"age": 4}, first.created_at)
    assert second.updated_at > first.updated_at
    with store() as stranger:
        assert stranger.get(CATS, "tom") is None
        assert stranger.search(()) == []
        assert stranger.list_namespaces() == []
        stranger.delete(CATS, "tom")
    assert own_store.get(CATS, "tom") == second
    own_store.delete(CATS, "tom")
    assert own_store.get(CATS, "tom") is None


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"age": 3}, ["b"]),
        ({"age": {"$gt": 1}}, ["b", "c"]),
        ({"age": {"$gte": 3, "$lt": 9}}, ["b"]),
        ({"age": {"$lte": 3}}, ["a", "b"]),
        ({"age": {"$ne": 3}}, ["a", "c", "d"]),
        ({"age": {"$eq": 9}}, ["c"]),
        ({"colour": "red"}, ["a", "c"]),
        ({"colour": "red", "age": 9}, ["c"]),
        ({"tags": ["x", "y"]}, ["d"]),
        ({"home": {"city": "Ulm"}}, ["d"]),
        ({"home": {"city": {"$ne": "Ulm"}}}, []),
        ({"colour": "r" * 300}, []),
        ({"age": None}, ["d"]),
    ],
)
def test_a_filter_compares_values(own_store, filter, found):
    values = {
        "a": {"age": 1, "colour": "red"},
        "b": {"age": 3, "colour": "blue"},
        "c": {"age": 9, "colour": "red"},
        "d": {"tags": ["x", "y"], "home": {"city": "Ulm", "zip": 1}},
    }
    own_store.batch([PutOp(CATS, key, value) for key, value in values.items()])
    assert keys(own_store.search(("animals",), filter=filter)) == found


def test_an_unknown_operator_is_refused(own_store):
    own_store.put(CATS, "tom", {"age": 3})
    with pytest.raises(ValueError, match="Unsupported operator"):
        own_store.search(CATS, filter={"age": {"$near": 3}})


def test_a_query_finds_a_text_of_the_value(own_store):
    own_store.put(CATS, "tom", {"note": "Likes fresh FISH", "n": 1})
    own_store.put(CATS, "kit", {"note": "likes milk"})
    assert keys(own_store.search(CATS, query="fish")) == ["tom"]
    assert keys(own_store.search((), query="likes")) == ["kit", "tom"]
    assert keys(own_store.search((), query="likes", filter={"n": 1})) == ["tom"]


def test_windows_reach_beyond_one_page(own_store):
    own_store.batch([PutOp(CATS, f"{number:03}", {"even": number % 2 == 0}) for number in range(250)])
    assert keys(own_store.search(CATS, offset=240, limit=100)) == [f"{number:03}" for number in range(240, 250)]
    assert keys(own_store.search(CATS, filter={"even": True}, offset=120)) == ["240", "242", "244", "246", "248"]


def test_a_lifetime_begins_again_when_an_item_is_read(own_store):
    own_store.put(CATS, "tom", {"n": 1}, ttl=10)
    own_store.put(CATS, "kit", {"n": 2})
    expiry = lambda key: own_store.client.record(("langgraph", "store", *CATS), key).expires_at  # noqa: E731
    first = expiry("tom")
    assert own_store.get(CATS, "tom", refresh_ttl=False).value == {"n": 1}
    assert expiry("tom") == first
    assert own_store.get(CATS, "tom").value == {"n": 1}
    second = expiry("tom")
    assert second > first
    assert len(own_store.search(CATS)) == 2
    assert expiry("tom") > second
    assert expiry("kit") is None


@pytest.mark.parametrize("key", ["", "a/b", "100%", "\0\n\x1f", "%00", " "])
def test_every_key_has_a_place_of_its_own(own_store, key):
    own_store.put((*CATS, "a%\n"), key, {"n": 1})
    own_store.put((*CATS, "a%\n"), key + "-", {"n": 2})
    found = own_store.get((*CATS, "a%\n"), key)
    assert (found.key, found.namespace, found.value) == (key, (*CATS, "a%\n"), {"n": 1})
    assert own_store.list_namespaces() == [(*CATS, "a%\n")]


def test_a_namespace_that_no_record_can_have_is_the_frameworks_error(own_store):
    with pytest.raises(InvalidNamespaceError, match="255"):
        own_store.put(("x" * 300,), "k", {"n": 1})


def test_a_store_serves_several_event_loops(own_store):
    async def count(number: int) -> int:
        await own_store.aput(CATS, str(number), {"n": number})
        own_store.put(CATS, f"blocking-{number}", {"n": number})
        found = await own_store.asearch(CATS)
        await own_store.aclose()
        return len(found)

    assert [asyncio.run(count(number)) for number in range(3)] == [2, 4, 6]
