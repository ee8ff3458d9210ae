"""Clients that lose their socket at every event and resume from the last cursor: nothing lost, nothing doubled."""

import asyncio
import json
from typing import Any

import pytest

from app.auth import Viewer
from app.db.access.database import Database
from app.db.session_changes import CHANGES
from app.live.bus import Bus
from app.live.events import Kind
from app.live.hub import Hub
from app.live.tuning import LiveTuning
from harness.server_settings import settings_for
from tests.support.ids import row_of
from tests.support.servers import serving
from tests.support.users import User

ROUNDS = 15


class Copy:
    """A client's copy of a session: its last cursor, and everything in the newest state that it received."""

    def __init__(self, cursor):
        self.cursor = cursor
        self.messages: dict[str, dict] = {}
        self.parts: dict[str, dict] = {}
        self.title = None
        self.applied = []

    def apply(self, event):
        """Applies an event: no change comes twice, and MessageChanged only for a message that is there."""
        self.cursor = event["cursor"]
        match event["__typename"]:
            case "MessageAdded" | "MessageChanged" as kind:
                message = event["message"]
                assert kind == "MessageAdded" or message["id"] in self.messages
                self._record("message", message["id"], message["revision"])
                self.messages[message["id"]] = message
            case "MessageRemoved":
                self._record("removed", event["messageId"])
                self.messages.pop(event["messageId"], None)
            case "SessionChanged":
                self._record("session", event["session"]["revision"])
                self.title = event["session"]["title"]
            case "SessionAgentChanged":
                part = event["sessionAgent"]
                self._record("part", part["key"], part["revision"])
                self.parts[part["key"]] = part
            case kind:
                assert kind == "CaughtUp"

    def _record(self, *change):
        assert change not in self.applied
        self.applied.append(change)

    def state(self):
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


async def stored_state(user, session):
    """The same, as queries return it."""
    found = await user.sees(session, STATE)
    return {
        "title": found["title"],
        "messages": sorted((m["sequence"], m["text"], m["revision"]) for m in found["messages"]["nodes"]),
        "parts": sorted((p["key"], json.dumps(p["state"]), p["revision"]) for p in found["agents"]["nodes"]),
    }


async def write(user, session):
    """All that makes events: appends one by one and in batches, edits, deletions, agents."""
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


async def read_one_event(user, session, copy):
    """Subscribes, reads one event, and drops the connection."""
    async with user.follows(session, copy.cursor) as stream:
        copy.apply(await anext(stream))
        stream.socket.transport.abort()


async def read_to_the_end(users, session, copy):
    """One socket for each event, on the users' servers in turn; returns how many sockets that were."""
    sockets = 0
    while all(message["text"] != "the end" for message in copy.messages.values()):
        await read_one_event(users[sockets % len(users)], session, copy)
        sockets += 1
    return sockets


async def test_a_client_that_reconnects_at_every_event_loses_and_doubles_nothing(ann):
    session = await ann.creates_session("Cut")
    copy = Copy((await ann.sees(session, "eventCursor"))["eventCursor"])
    _, sockets = await asyncio.gather(write(ann, session), read_to_the_end([ann], session, copy))
    assert sockets > ROUNDS
    assert copy.state() == await stored_state(ann, session)


async def test_a_client_that_changes_servers_at_every_event_loses_and_doubles_nothing(ann, database_url):
    async with serving(settings_for(database_url)) as second:
        elsewhere = User(ann.name, second.url, ann.token, second.http)
        session = await ann.creates_session("Between two")
        copy = Copy((await ann.sees(session, "eventCursor"))["eventCursor"])
        writing = asyncio.gather(write(ann, session), write(elsewhere, session))
        _, sockets = await asyncio.gather(writing, read_to_the_end([ann, elsewhere], session, copy))
        for event in await ann.replays(session, copy.cursor):  # the other writer may have written after it
            copy.apply(event)
    assert sockets > ROUNDS
    assert copy.state() == await stored_state(ann, session)


@pytest.mark.parametrize("batch", [1, 7])
async def test_a_replay_that_is_cut_resumes_where_it_was(user, database_url, batch):
    """Messages that the client has not received yet change meanwhile, which moves them to the replay's end."""
    async with serving(settings_for(database_url), LiveTuning(batch_size=batch)) as server:
        await cut_replay(server.user(user("ann").name))


async def cut_replay(ann):
    session = await ann.creates_session("Replayed")
    copy = Copy((await ann.sees(session, "eventCursor"))["eventCursor"])
    await write(ann, session)
    editing = asyncio.create_task(edit_all(ann, session))
    caught_up = 0
    while caught_up < 2:  # the second replay begins after the last write
        async with ann.follows(session, copy.cursor, follow=False) as stream:
            for _ in range(3):
                event = await anext(stream, None)
                if event is None:
                    break
                copy.apply(event)
                caught_up += event["__typename"] == "CaughtUp" and editing.done()
            stream.socket.transport.abort()
    await editing
    assert copy.state() == await stored_state(ann, session)


async def edit_all(user, session):
    """Edits every message, and the title after each."""
    page = await user.sees(session, "messages(last: 100) { nodes { id } }")
    for number, message in enumerate(page["messages"]["nodes"]):
        await user.does("updateMessage", id=message["id"], text=f"again {number}")
        await user.does("updateSession", id=session, title=f"again {number}")


class ChangingDatabase(Database):
    """Runs `change` after each read of a session's changes that found some, before their rows are read."""

    change: Any = None

    async def fetch(self, viewer, statement, /, **values):
        rows = await super().fetch(viewer, statement, **values)
        if statement is CHANGES and rows:
            await self.change()
        return rows


async def test_a_message_that_changes_between_two_reads_is_still_added_once(ann, database_url):
    """A reader reads first which things have changed, then their rows."""
    session = await ann.creates_session("Changing")
    cursor = (await ann.sees(session, "eventCursor"))["eventCursor"]
    message = {"role": "USER", "text": "as appended"}
    sent = await ann.does("appendMessage", "message { id }", sessionId=session, message=message)
    texts = ["edited twice", "edited"]

    async def edit():
        if texts:
            await ann.does("updateMessage", id=sent["message"]["id"], text=texts.pop())

    db = ChangingDatabase(database_url, **settings_for(database_url).database_options)
    db.change = edit
    hub = Hub(db, Bus(), LiveTuning(), tombstone_seconds=None, max_per_owner=1, max_subscriptions=1)
    viewer = Viewer(ann.name, frozenset(), (), 0.0)
    subscription = hub.session_events(viewer, row_of(session), lambda event: event, cursor, False)
    events = [event async for event in subscription]
    await db.close()
    messages = [
        (event.kind, event.data.text) for event in events if event.kind not in (Kind.SESSION_CHANGED, Kind.CAUGHT_UP)
    ]
    assert (messages, texts) == ([(Kind.MESSAGE_ADDED, "edited twice")], [])
    assert hub.subscriptions == 0


async def test_an_edit_of_the_last_received_message_is_a_change(ann):
    session = await ann.creates_session("Last")
    message = {"role": "USER", "text": "received"}
    sent = await ann.does("appendMessage", "cursor message { id }", sessionId=session, message=message)
    await ann.does("updateMessage", id=sent["message"]["id"], text="changed")
    events = await ann.replays(session, sent["cursor"])
    assert [event["__typename"] for event in events] == ["MessageChanged", "CaughtUp"]
