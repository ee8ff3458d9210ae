"""The experiments of `chaos` can fail: whatever is lost, duplicated, missed or late is counted."""

import asyncio
from random import Random
from types import SimpleNamespace

import httpx2
import pytest

from chaos.client import Client, Failure
from chaos.counts import Counts, Stored, count_stored, failed_outside
from chaos.load import Load
from chaos.pollers import Poller
from chaos.readers import SessionReader, ViewerReader, sessions_of
from chaos.versions import Version
from chaos.writers import Acknowledged


def message(number, text="hello", revision=None, status="COMPLETE"):
    return {"id": f"m{number}", "sequence": number, "text": text, "status": status, "revision": revision or number}


def added(message):
    return {"__typename": "MessageAdded", "message": message}


def changed(message):
    return {"__typename": "MessageChanged", "message": message}


def delta(number, offset, text):
    return {"__typename": "MessageDelta", "messageId": f"m{number}", "offset": offset, "text": text}


def reader_after(*events):
    """A reader that has received these events."""
    reader = SessionReader(None, "s", "cursor")
    for event in events:
        reader.on_event(event)
    return reader


def stored(*messages):
    return Stored("", {message["id"]: message for message in messages})


STREAMING = message(1, "He", status="STREAMING")
COMPLETE = message(1, "Hello", 3)


def test_a_reader_with_every_event_once_has_nothing_to_report():
    reader = reader_after(added(STREAMING), delta(1, 2, "l"), changed({**STREAMING, "text": "Hell"}), changed(COMPLETE))
    assert (reader.duplicated, reader.missed) == ([], [])
    assert stored(COMPLETE).differences(reader) == []


@pytest.mark.parametrize(
    "events",
    [
        [added(message(1)), added(message(1))],
        [added(message(1)), changed(message(1, "again", 1))],
        [added(STREAMING), delta(1, 2, "l"), delta(1, 2, "l")],
        [{"__typename": "SessionChanged", "session": {"title": "T", "revision": 2}}] * 2,
    ],
)
def test_an_event_that_a_reader_receives_twice_is_counted(events):
    assert len(reader_after(*events).duplicated) == 1


@pytest.mark.parametrize(
    "events",
    [[changed(message(1, revision=2))], [added(STREAMING), delta(1, 3, "lo")], [{"__typename": "StreamReset"}]],
)
def test_an_event_that_a_reader_never_receives_is_counted(events):
    assert len(reader_after(*events).missed) == 1


@pytest.mark.parametrize(
    "events",
    [[], [added(message(1, "old", 1))], [added(message(1, revision=2)), added(message(9))]],
    ids=["an addition", "a change", "a removal"],
)
def test_a_reader_that_knows_less_than_the_rows_is_counted(events):
    assert len(stored(message(1, revision=2)).differences(reader_after(*events))) == 1


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([message(1), message(2)], {}),
        ([message(1)], {"lost": 1}),
        ([message(1), message(2, "other")], {"lost": 1}),
        ([message(1), message(2), message(3)], {"stored_twice": 1}),
        ([message(1), {**message(2), "sequence": 3}], {"lost": 1, "gaps": 1}),
        ([message(1), message(2), {**message(3), "sequence": 2}], {"stored_twice": 1, "gaps": 1}),
    ],
)
def test_a_row_that_differs_from_what_was_acknowledged_is_counted(rows, wrong):
    acknowledged = Acknowledged({"m1": "hello", "m2": "hello"}, {"m1": 1, "m2": 2})
    load, counts = Load("", [], None, None), Counts()
    load.writers = [SimpleNamespace(session="s", acknowledged=acknowledged)]
    count_stored(load, "s", stored(*rows), counts)
    assert {name: getattr(counts, name) for name in ("lost", "stored_twice", "gaps") if getattr(counts, name)} == wrong


def test_an_acknowledged_title_that_is_not_stored_is_lost():
    load, counts = Load("", [], None, None), Counts()
    load.writers = [SimpleNamespace(session="s", acknowledged=Acknowledged(title="Mine"))]
    count_stored(load, "s", Stored("Theirs", {}), counts)
    assert counts.lost == 1


def test_a_sidebar_that_knows_less_than_the_rows_is_counted():
    sidebar = ViewerReader(None, "cursor")
    sidebar.on_event({"__typename": "SessionChanged", "session": {"id": "s", "title": "old"}})
    assert sidebar.differences({"s": {"id": "s", "title": "old"}}) == []
    assert len(sidebar.differences({"s": {"id": "s", "title": "new"}, "t": {"id": "t", "title": ""}})) == 2


async def test_a_sidebar_reads_the_list_after_a_reset(ann):
    session = await ann.creates_session("stored")
    async with httpx2.AsyncClient() as http:
        client = Client(ann.name, [ann.url], http, Random(1))
        sidebar = ViewerReader(client, "foreign")
        following = asyncio.create_task(sidebar.follow())
        while not sidebar.sessions:
            await asyncio.sleep(0.01)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert (sidebar.resets, sidebar.sessions[session]["title"]) == (1, "stored")
        sidebar.permitted_resets = 1
        assert sidebar.differences(await sessions_of(client)) == []


def answer(*messages, revision=1, listed=True):
    """What a poller reads of the session "s", the newest message last."""
    session = {"id": "s", "revision": revision, "messages": {"nodes": messages}, "lastMessage": (None, *messages)[-1]}
    return {"session": session, "sessions": {"nodes": [session] if listed else []}}


READ = answer(*[message(number) for number in (2, 3)], revision=4)


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (READ, 0),
        (answer(message(2), message(3), message(4), revision=5), 0),
        (answer(message(2), message(3)), 2),  # the page and the entry of the list have an older session
        (answer(message(2), revision=4), 2),  # both lack the newest message
        (answer(message(3), revision=4), 0),  # the page is shorter
        (answer(message(1), message(3), revision=4), 1),
        (answer(message(2, revision=1), message(3), revision=4), 1),
        (answer(message(2, "hell"), message(3), revision=4), 1),  # of a message that is being written
        ({**READ, "sessions": {"nodes": []}}, 3),
        ({**READ, "session": None}, 3),
    ],
)
def test_a_query_that_returns_less_than_was_acknowledged_or_shown_is_counted(read, wrong):
    versions = {"m2": Version(2, 2, 5), "m3": Version(3, 3, 5)}
    acknowledged = Acknowledged(versions=versions, session=Version(0, 4, 0))
    for writers, shown in (([SimpleNamespace(acknowledged=acknowledged)], []), ([], [READ])):
        poller = Poller(None, "s", writers)
        for earlier in shown:
            poller.compare(poller.known(), earlier)
        assert poller.read_less == []
        poller.compare(poller.known(), read)
        assert len(poller.read_less) == wrong


def test_a_write_that_is_acknowledged_during_a_query_need_not_be_in_it():
    acknowledged = Acknowledged()
    poller = Poller(None, "s", [SimpleNamespace(acknowledged=acknowledged)])
    expected = poller.known()
    acknowledged.versions["m1"] = Version(1, 1, 5)
    poller.compare(expected, answer())
    assert poller.read_less == []
    assert set(poller.known()) == {"s", "m1"}


def test_a_failure_is_excused_only_by_a_fault_at_the_same_time():
    load = Load("", [], None, None)
    failures = [Failure(1, 2, "before"), Failure(4, 6, "into it"), Failure(7, 7, "in it"), Failure(9.5, 9.6, "after")]
    load.clients, load.fault_windows = [SimpleNamespace(failures=failures)], [(5, 9)]
    assert failed_outside(load) == ["before", "after"]


def test_an_experiment_is_good_only_if_nothing_was_counted():
    assert Counts(faults=10, acknowledged=5, recoveries=[4.9]).good
    zeros = ["lost", "stored_twice", "gaps", "missed", "viewer_missed", "duplicated"]
    zeros += ["read_less", "failed_outside", "broken_rules"]
    assert not any(Counts(**{name: 1}).good for name in zeros)
    assert not Counts(recoveries=[0.1, 5.1]).good
    assert not Counts(findings=["the server grew"]).good
