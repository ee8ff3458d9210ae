"""What the peer's tests leave out: strangers, names, conflicts, requests, blocking calls in a loop."""

import asyncio
from uuid import uuid4

import pytest
from colloquy import errors
from langgraph.checkpoint.base import ERROR, empty_checkpoint
from own_stores import saver

METADATA = {"source": "loop", "step": 0, "parents": {}}


def config(thread="t", ns="", **more) -> dict:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ns, **more}}


def put(own, thread="t", ns="", parent="", **values) -> dict:
    """Stores a new checkpoint and returns its config."""
    checkpoint = empty_checkpoint() | {"channel_values": values, "channel_versions": dict.fromkeys(values, 1)}
    more = {"checkpoint_id": parent} if parent else {}
    return own.put(config(thread, ns, **more), checkpoint, METADATA, {})


def record_requests(own) -> list:
    """A list to which every following request is appended."""
    sent = []
    own.client._http.event_hooks = {"request": [sent.append]}
    return sent


def test_a_stranger_reads_copies_and_deletes_nothing(own_saver):
    stored = put(own_saver, colour="red")
    own_saver.put_writes(stored, [("colour", "blue")], "task")
    with saver() as stranger:
        assert stranger.get_tuple(stored) is None
        assert list(stranger.list(None)) == []
        stranger.copy_thread("t", "copy")
        assert stranger.get_tuple(config("copy")) is None
        stranger.delete_thread("t")
        stranger.prune(["t"], strategy="delete")
    found = own_saver.get_tuple(stored)
    assert (found.checkpoint["channel_values"], found.pending_writes) == (
        {"colour": "red"},
        [("task", "colour", "blue")],
    )


@pytest.mark.parametrize(
    "name", ["", "a|b:c", "100%", "%00", "\x1f\x1e\n\0", "ü" * 255, "node:" + "x" * 400, " "], ids=range(8)
)
def test_every_thread_and_namespace_has_a_place_of_its_own(own_saver, name):
    thread = name or "thread"
    stored = put(own_saver, thread, name, n=1)
    put(own_saver, thread + "-", name + "-", n=2)
    assert own_saver.get_tuple(stored).checkpoint["channel_values"] == {"n": 1}
    assert [each.config for each in own_saver.list(config(thread, name))] == [stored]
    own_saver.delete_thread(thread)
    assert own_saver.get_tuple(stored) is None
    assert len(list(own_saver.list(None))) == 1


def test_a_write_stays_as_it_was_stored_first_and_an_error_is_replaced(own_saver):
    stored = put(own_saver)
    own_saver.put_writes(stored, [("a", 1), (ERROR, "first")], "task")
    own_saver.put_writes(stored, [("a", 2), ("b", 3), (ERROR, "second")], "task")
    assert sorted(own_saver.get_tuple(stored).pending_writes) == [
        ("task", ERROR, "second"),
        ("task", "a", 1),
        ("task", "b", 3),
    ]


def test_writes_of_tasks_at_the_same_time_are_all_stored(own_saver):
    stored = put(own_saver)

    async def write_all() -> None:
        writes = [(f"c{number}", number) for number in range(3)]
        await asyncio.gather(*(own_saver.aput_writes(stored, writes, f"task-{n % 4}") for n in range(12)))
        await own_saver.aclose()

    asyncio.run(write_all())
    assert len(own_saver.get_tuple(stored).pending_writes) == 12


def test_more_writes_than_one_request_takes_are_stored(own_saver):
    stored = put(own_saver)
    own_saver.put_writes(stored, [("c", number) for number in range(230)], "task")
    assert [value for _, _, value in own_saver.get_tuple(stored).pending_writes] == list(range(230))


def test_a_list_reads_its_pages_when_the_iteration_reaches_them(own_saver):
    parent = ""
    for number in range(45):
        parent = put(own_saver, parent=parent, n=number)["configurable"]["checkpoint_id"]
    sent = record_requests(own_saver)
    newest = next(iter(own_saver.list(config(), limit=1)))
    assert (newest.checkpoint["channel_values"], len(sent)) == ({"n": 44}, 2)
    assert [each.checkpoint["channel_values"]["n"] for each in own_saver.list(config())] == list(range(44, -1, -1))
    before = own_saver.list(config(), before=newest.config, limit=20)
    assert [each.checkpoint["channel_values"]["n"] for each in before] == list(range(43, 23, -1))


def test_a_put_takes_one_request_and_a_get_two(own_saver):
    sent = record_requests(own_saver)
    stored = put(own_saver, n=1)
    assert len(sent) == 1
    own_saver.put_writes(stored, [("a", 1), ("b", 2)], "task")
    assert len(sent) == 2
    own_saver.get_tuple(config())
    assert len(sent) == 4


def test_a_pruned_thread_keeps_what_its_delta_channels_are_read_from(own_saver):
    parent, ids = "", []
    for number in range(5):
        values = {"log": ["snapshot"]} if number == 2 else {}
        checkpoint = empty_checkpoint() | {"channel_values": values, "channel_versions": {"log": number}}
        metadata = METADATA | {"step": number, "counters_since_delta_snapshot": {"log": [number, number]}}
        stored = own_saver.put(config(**({"checkpoint_id": parent} if parent else {})), checkpoint, metadata, {})
        parent = stored["configurable"]["checkpoint_id"]
        ids.append(parent)
        own_saver.put_writes(stored, [("log", [number])], f"task-{number}")
    before = own_saver.get_delta_channel_history(config=config(), channels=["log"])
    own_saver.prune(["t"])
    assert [each.checkpoint["id"] for each in own_saver.list(config())] == ids[:1:-1]
    assert own_saver.get_delta_channel_history(config=config(), channels=["log"]) == before
    assert before["log"]["seed"] == ["snapshot"]


def test_an_unknown_strategy_deletes_nothing(own_saver):
    stored = put(own_saver)
    with pytest.raises(ValueError, match="strategy"):
        own_saver.prune(["t"], strategy="everything")
    assert own_saver.get_tuple(stored)


async def test_blocking_calls_work_inside_a_running_loop(own_saver):
    stored = put(own_saver, n=1)
    assert own_saver.get_tuple(stored) == await own_saver.aget_tuple(stored)
    await own_saver.aclose()


def test_a_failure_is_an_error_of_the_client():
    with saver() as unauthenticated:
        unauthenticated.client._token = "invalid"
        with pytest.raises(errors.Unauthenticated):
            unauthenticated.get_tuple(config(str(uuid4())))
