"""The record operations of both clients against a real server."""

import asyncio
from datetime import UTC, datetime

import pytest
from colloquy import errors
from colloquy.operations.record import new_record

NOTES = ("users", "42", "notes")


async def keys(records) -> list[str]:
    return [record.key async for record in records]


async def test_a_record_is_stored_for_its_owner(client, stranger):
    session = (await client.create_session()).session
    [stored] = await client.put_records(
        [new_record(NOTES, "tea", {"likes": ["green"]}, metadata={"kind": "taste"}, session_id=session.id)]
    )
    assert (stored.namespace, stored.key, stored.value) == (NOTES, "tea", {"likes": ["green"]})
    assert (stored.bytes, stored.metadata, stored.revision) == (None, {"kind": "taste"}, 1)
    assert (stored.session.id, stored.expires_at) == (session.id, None)
    assert await client.record(NOTES, "tea") == stored
    assert await stranger.record(NOTES, "tea") is None
    assert await keys(stranger.records()) == []
    assert await stranger.delete_records([(NOTES, "tea")]) == 0
    assert await client.delete_records([(NOTES, "tea"), (NOTES, "absent")]) == 1
    assert await client.record(NOTES, "tea") is None


async def test_bytes_come_back_as_they_were_put(client):
    binary = bytes(range(256))
    [stored] = await client.put_records([new_record(NOTES, "raw", bytes=binary, ttl_seconds=60)])
    assert (stored.bytes, stored.value) == (binary, None)
    assert stored.expires_at > datetime.now(UTC)
    assert (await client.record(NOTES, "raw")).bytes == binary


async def test_pages_have_filters_and_an_order(client, sync_client):
    tags = {"1": "odd", "2": "even", "3": "odd"}
    await client.put_records([new_record(NOTES, key, f"text {key}", metadata={"n": tag}) for key, tag in tags.items()])
    assert await keys(client.records(page_size=1)) == ["1", "2", "3"]
    assert await keys(client.records(NOTES[:2], metadata_contains={"n": "odd"})) == ["1", "3"]
    assert await keys(client.records(key_from="2", key_to="3", direction="DESC")) == ["3", "2"]
    assert await keys(client.records(text="TEXT 2")) == ["2"]
    assert await keys(client.records(("users", "43"))) == []
    page = await client.record_page(NOTES, last=1)
    assert ([record.key for record in page.nodes], page.info.has_previous_page) == (["3"], True)
    assert await asyncio.to_thread(lambda: [record.key for record in sync_client.records(NOTES)]) == ["1", "2", "3"]


async def test_namespaces_are_listed_by_prefix_suffix_and_depth(client, stranger):
    paths = [("a", "x"), ("a", "y", "x"), ("b", "x")]
    await client.put_records([new_record(path, "k", 1) for path in paths])
    assert [found.namespace async for found in client.record_namespaces()] == paths
    assert [found.namespace async for found in client.record_namespaces(("a",), page_size=1)] == paths[:2]
    assert [found.namespace async for found in client.record_namespaces(suffix=("y", "x"))] == paths[1:2]
    assert [found.namespace async for found in client.record_namespaces(max_depth=1)] == [("a",), ("b",)]
    assert [found async for found in stranger.record_namespaces()] == []


async def test_a_put_with_another_revision_stores_nothing(client):
    await client.put_records([new_record(NOTES, "one", 1, expected_revision=0)])
    with pytest.raises(errors.Conflict) as conflict:
        await client.put_records([new_record(NOTES, "two", 2), new_record(NOTES, "one", 3, expected_revision=0)])
    assert (conflict.value.current_revision, conflict.value.field) == (1, ("records", "1", "expectedRevision"))
    assert await keys(client.records()) == ["one"]


async def test_a_namespace_is_deleted_up_to_a_key(client, stranger):
    await client.put_records([new_record(NOTES, key, 0) for key in "abc"])
    assert await stranger.delete_records(namespace_prefix=()) == 0
    assert await client.delete_records(namespace_prefix=NOTES, key_to="b") == 2
    assert await keys(client.records()) == ["c"]


async def test_a_lost_response_repeats_a_put_once(client, proxied_client, proxy):
    proxy.lost_responses = 1
    [stored] = await proxied_client.put_records([new_record(NOTES, "once", 1)])
    assert (stored.revision, (await client.record(NOTES, "once")).revision) == (1, 1)
