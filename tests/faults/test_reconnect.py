"""A client that loses its socket at every event and goes on from its last cursor: nothing lost, nothing doubled."""

import asyncio
import json

import pytest

from app.db.access.database import Database
from app.db.session_changes import CHANGES
from app.live import session_reader as reading
from harness.server_settings import settings_for
from tests.support.servers import serving
from tests.support.users import User

ROUNDS = 15


class Reader:
    """What one client knows of a session: its cursor, and every thing in the newest state it was told."""

    def __init__(self, cursor):
        self.cursor = cursor
        self.messages: dict[str, dict] = {}
        self.parts: dict[str, dict] = {}
        self.title = None
        self.told = []

    def hears(self, event):
        """Takes in one event; the same change never comes twice, and no change of what was never added."""
        self.cursor = event["cursor"]
        match event["__typename"]:
            case "MessageAdded" | "MessageChanged" as kind:
                message = event["message"]
                assert kind == "MessageAdded" or message["id"] in self.messages
                self._once("message", message["id"], message["revision"])
                self.messages[message["id"]] = message
            case "MessageRemoved":
                self._once("removed", event["messageId"])
                self.messages.pop(event["messageId"], None)
            case "SessionChanged":
                self._once("session", event["session"]["revision"])
                self.title = event["session"]["title"]
            case "SessionAgentChanged":
                part = event["sessionAgent"]
                self._once("part", part["key"], part["revision"])
                self.parts[part["key"]] = part
            case kind:
                assert kind == "CaughtUp"

    def _once(self, *change):
        assert change not in self.told
        self.told.append(change)

    def knows(self):
        return {
            "title": self.title,
            "messages": sorted(
                (message["sequence"], message["text"], message["revision"]) for message in self.messages.values()
            ),
            "parts": sorted((part["key"], json.dumps(part["state"]), part["revision"]) for part in self.parts.values()),
        }


STATE = """
title
messages(last: 100) { nodes { sequence text revision } }
agents(first: 100) { nodes { key state revision } }
"""


async def as_stored(user, session):
    """The same, as the rows have it."""
    seen = await user.sees(session, STATE)
    return {
        "title": seen["title"],
        "messages": sorted((m["sequence"], m["text"], m["revision"]) for m in seen["messages"]["nodes"]),
        "parts": sorted((p["key"], json.dumps(p["state"]), p["revision"]) for p in seen["agents"]["nodes"]),
    }


async def writes(user, session):
    """A conversation with everything that makes events: messages alone and in batches, edits, deletions, agents."""
    for number in range(ROUNDS):
        batch = [{"role": "ASSISTANT", "text": f"{number}.{n}", "agentKey": f"agent {number % 3}"} for n in range(3)]
        payload = await user.does("appendMessages", "messages { id }", sessionId=session, messages=batch)
        first, second, _ = (message["id"] for message in payload["messages"])
        await asyncio.gather(
            user.does("updateMessage", id=first, text=f"{number} edited"),
            user.does("deleteMessage", id=second),
            user.does("putSessionAgent", sessionId=session, key=f"agent {number % 3}", state={"round": number}),
            user.does("updateSession", id=session, title=f"Round {number}"),
        )
    await user.appends(session, "the end")


async def cut_after_one(user, session, reader):
    """One socket, one event, and the line is cut without a goodbye."""
    async with user.follows(session, reader.cursor) as stream:
        reader.hears(await anext(stream))
        stream.socket.transport.abort()


async def hears_the_end(doors, session, reader):
    """Through as many sockets as there are events; how many that were."""
    sockets = 0
    while all(message["text"] != "the end" for message in reader.messages.values()):
        await cut_after_one(doors[sockets % len(doors)], session, reader)
        sockets += 1
    return sockets


async def test_a_socket_cut_at_every_event_loses_and_doubles_nothing(ann):
    session = await ann.creates_session("Cut")
    reader = Reader((await ann.sees(session, "eventCursor"))["eventCursor"])
    _, sockets = await asyncio.gather(writes(ann, session), hears_the_end([ann], session, reader))
    assert sockets > ROUNDS
    assert reader.knows() == await as_stored(ann, session)


async def test_a_client_that_changes_the_server_at_every_cut_loses_and_doubles_nothing(ann, database_url):
    async with serving(settings_for(database_url)) as second:
        elsewhere = User(ann.name, second.url, ann.token, second.http)
        session = await ann.creates_session("Between two")
        reader = Reader((await ann.sees(session, "eventCursor"))["eventCursor"])
        writing = asyncio.gather(writes(ann, session), writes(elsewhere, session))
        _, sockets = await asyncio.gather(writing, hears_the_end([ann, elsewhere], session, reader))
        for event in await ann.replays(session, reader.cursor):  # one of the writers may have more to say
            reader.hears(event)
    assert sockets > ROUNDS
    assert reader.knows() == await as_stored(ann, session)


@pytest.mark.parametrize("batch", [1, 7])
async def test_a_replay_cut_in_its_middle_goes_on_where_it_was(ann, monkeypatch, batch):
    """Also while what it has not told yet goes on changing, and moves to its end."""
    monkeypatch.setattr(reading, "BATCH", batch)
    session = await ann.creates_session("Replayed")
    reader = Reader((await ann.sees(session, "eventCursor"))["eventCursor"])
    await writes(ann, session)
    renaming = asyncio.create_task(renames(ann, session))
    caught_up = 0
    while caught_up < 2:  # the second one begins after the last write
        async with ann.follows(session, reader.cursor, follow=False) as stream:
            for _ in range(3):
                event = await anext(stream, None)
                if event is None:
                    break
                reader.hears(event)
                caught_up += event["__typename"] == "CaughtUp" and renaming.done()
            stream.socket.transport.abort()
    await renaming
    assert reader.knows() == await as_stored(ann, session)


async def renames(user, session):
    seen = await user.sees(session, "messages(last: 100) { nodes { id } }")
    for number, message in enumerate(seen["messages"]["nodes"]):
        await user.does("updateMessage", id=message["id"], text=f"again {number}")
        await user.does("updateSession", id=session, title=f"again {number}")


async def test_a_message_that_changes_while_it_is_told_is_still_new(ann, monkeypatch):
    """The change comes between the moment a reader sees that there is something, and the moment it reads what."""
    session = await ann.creates_session("Hasty")
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    reader, fetch, hasty = Reader(cursor), Database.fetch, ["corrected twice", "corrected"]

    async def slowly(db, viewer, statement, **given):
        rows = await fetch(db, viewer, statement, **given)
        if statement is CHANGES and rows and hasty:
            await ann.does("updateMessage", id=sent["message"]["id"], text=hasty.pop())
        return rows

    sent = await ann.does("appendMessage", "message { id }", sessionId=session, message={"role": "USER", "text": "x"})
    monkeypatch.setattr(Database, "fetch", slowly)
    async with ann.follows(session, cursor) as stream:
        await ann.appends(session, "the end")
        while {"corrected twice", "the end"} - {message["text"] for message in reader.messages.values()}:
            reader.hears(await anext(stream))
    assert reader.knows() == await as_stored(ann, session)


async def test_a_change_of_the_very_message_that_was_heard_last_is_no_addition(ann):
    session = await ann.creates_session("Last")
    message = {"role": "USER", "text": "heard"}
    sent = await ann.does("appendMessage", "cursor message { id }", sessionId=session, message=message)
    await ann.does("updateMessage", id=sent["message"]["id"], text="changed")
    events = await ann.replays(session, sent["cursor"])
    assert [event["__typename"] for event in events] == ["MessageChanged", "CaughtUp"]
