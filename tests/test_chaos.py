"""The experiments of `chaos` can fail: whatever is lost, doubled, missed or late is counted."""

from types import SimpleNamespace

import pytest

from chaos.counts import Counts, Stored, count_stored, failed_outside
from chaos.load import Load
from chaos.owner import Failure
from chaos.readers import SessionReader, ViewerReader
from chaos.writers import Acknowledged


def said(number, text="hello", revision=None, status="COMPLETE"):
    return {"id": f"m{number}", "sequence": number, "text": text, "status": status, "revision": revision or number}


def added(message):
    return {"__typename": "MessageAdded", "message": message}


def changed(message):
    return {"__typename": "MessageChanged", "message": message}


def grown(number, offset, text):
    return {"__typename": "MessageDelta", "messageId": f"m{number}", "offset": offset, "text": text}


def told(*events):
    """A reader after these events."""
    reader = SessionReader(None, "s", "cursor")
    for event in events:
        reader.hears(event)
    return reader


def stored(*messages):
    return Stored("", {message["id"]: message for message in messages})


WRITING = said(1, "He", status="STREAMING")
WRITTEN = said(1, "Hello", 3)


def test_a_reader_who_was_told_everything_once_finds_nothing():
    reader = told(added(WRITING), grown(1, 2, "l"), changed({**WRITING, "text": "Hell"}), changed(WRITTEN))
    assert (reader.doubled, reader.missed) == ([], [])
    assert stored(WRITTEN).unlike(reader) == []


@pytest.mark.parametrize(
    "events",
    [
        [added(said(1)), added(said(1))],
        [added(said(1)), changed(said(1, "again", 1))],
        [added(WRITING), grown(1, 2, "l"), grown(1, 2, "l")],
        [{"__typename": "SessionChanged", "session": {"title": "T", "revision": 2}}] * 2,
    ],
)
def test_what_a_reader_hears_twice_is_counted(events):
    assert len(told(*events).doubled) == 1


@pytest.mark.parametrize(
    "events", [[changed(said(1, revision=2))], [added(WRITING), grown(1, 3, "lo")], [{"__typename": "StreamReset"}]]
)
def test_what_a_reader_was_never_told_is_counted(events):
    assert len(told(*events).missed) == 1


@pytest.mark.parametrize(
    "events",
    [[], [added(said(1, "old", 1))], [added(said(1, revision=2)), added(said(9))]],
    ids=["an addition", "a change", "a removal"],
)
def test_a_reader_who_knows_less_than_the_rows_is_counted(events):
    assert len(stored(said(1, revision=2)).unlike(told(*events))) == 1


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([said(1), said(2)], {}),
        ([said(1)], {"lost": 1}),
        ([said(1), said(2, "other")], {"lost": 1}),
        ([said(1), said(2), said(3)], {"stored_twice": 1}),
        ([said(1), {**said(2), "sequence": 3}], {"lost": 1, "gaps": 1}),
        ([said(1), said(2), {**said(3), "sequence": 2}], {"stored_twice": 1, "gaps": 1}),
    ],
)
def test_rows_that_are_not_as_they_were_acknowledged_are_counted(rows, wrong):
    told = Acknowledged({"m1": "hello", "m2": "hello"}, {"m1": 1, "m2": 2})
    load, counts = Load("", [], None, None), Counts()
    load.writers = [SimpleNamespace(session="s", told=told)]
    count_stored(load, "s", stored(*rows), counts)
    assert {name: getattr(counts, name) for name in ("lost", "stored_twice", "gaps") if getattr(counts, name)} == wrong


def test_a_title_that_was_acknowledged_and_is_not_there_is_lost():
    load, counts = Load("", [], None, None), Counts()
    load.writers = [SimpleNamespace(session="s", told=Acknowledged(title="Mine"))]
    count_stored(load, "s", Stored("Theirs", {}), counts)
    assert counts.lost == 1


def test_a_sidebar_that_knows_less_than_the_rows_is_counted():
    sidebar = ViewerReader(None, "cursor")
    sidebar.hears({"__typename": "SessionChanged", "session": {"id": "s", "title": "old"}})
    assert sidebar.lacks({"s": {"id": "s", "title": "old"}}) == []
    assert len(sidebar.lacks({"s": {"id": "s", "title": "new"}, "t": {"id": "t", "title": ""}})) == 2


def test_a_failure_is_excused_by_a_fault_of_its_time_only():
    load = Load("", [], None, None)
    failures = [Failure(1, 2, "before"), Failure(4, 6, "into it"), Failure(7, 7, "in it"), Failure(9.5, 9.6, "after")]
    load.owners, load.windows = [SimpleNamespace(failures=failures)], [(5, 9)]
    assert failed_outside(load) == ["before", "after"]


def test_an_experiment_is_good_only_if_nothing_was_counted():
    assert Counts(faults=10, acknowledged=5, recoveries=[4.9]).good
    zeros = ("lost", "stored_twice", "gaps", "missed", "viewer_missed", "doubled", "failed_outside", "broken_rules")
    assert not any(Counts(**{name: 1}).good for name in zeros)
    assert not Counts(recoveries=[0.1, 5.1]).good
    assert not Counts(findings=["the server grew"]).good
