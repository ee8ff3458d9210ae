"""Readers: each follows events across every cut, and knows only what it was told."""

import asyncio
import json
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from chaos.owner import Owner

PROTOCOL = Subprotocol("graphql-transport-ws")
AGAIN_SECONDS = 0.1, 0.5
ANSWER_SECONDS = 10
CUT_OFF = (OSError, EOFError, TimeoutError, WebSocketException)

SESSION_EVENTS = """
subscription ($session: ID!, $after: String) {
  sessionEvents(sessionId: $session, after: $after) {
    __typename
    ... on Event { cursor }
    ... on MessageAdded { message { id sequence text status revision } }
    ... on MessageChanged { message { id sequence text status revision } }
    ... on MessageDelta { messageId offset text }
    ... on SessionChanged { session { title revision } }
  }
}
"""
SHOWN = "id title status messageCount unreadCount streaming archivedAt"  # what a sidebar shows of a session
VIEWER_EVENTS = f"""
subscription ($after: String) {{
  viewerEvents(after: $after) {{
    __typename
    ... on Event {{ cursor }}
    ... on SessionChanged {{ session {{ {SHOWN} }} }}
  }}
}}
"""


async def say(socket: ClientConnection, kind: str, payload: Any) -> None:
    """One frame of the one operation on a socket."""
    await socket.send(json.dumps({"id": "1", "type": kind, "payload": payload}))


class Reader:
    """Comes back with its last cursor whenever its socket is gone."""

    document = SESSION_EVENTS

    def __init__(self, owner: Owner, after: str, **variables: Any) -> None:
        self.owner, self.cursor, self._variables = owner, after, variables
        self.socket: ClientConnection | None = None
        self.heard = self.sockets = 0

    async def follows(self) -> None:
        """Until cancelled."""
        while True:
            began = time.monotonic()
            try:
                await self._follows_once()
            except CUT_OFF as error:
                if self.socket is None:  # it could not even connect
                    self.owner.failed(began, f"{self.owner.url} socket: {type(error).__name__} {error}")
            self.socket = None
            self.owner.hop()
            await self.owner.pauses(*AGAIN_SECONDS)

    async def _follows_once(self) -> None:
        address = f"ws{self.owner.url.removeprefix('http')}/graphql"
        async with connect(address, subprotocols=[PROTOCOL], compression=None, max_size=None) as socket:
            await say(socket, "connection_init", {"Authorization": f"Bearer {self.owner.token}"})
            json.loads(await asyncio.wait_for(socket.recv(), ANSWER_SECONDS))
            variables = {**self._variables, "after": self.cursor}
            await say(socket, "subscribe", {"query": self.document, "variables": variables})
            self.socket, self.sockets = socket, self.sockets + 1
            async for text in socket:
                self._takes(json.loads(text))

    def _takes(self, frame: dict[str, Any]) -> None:
        payload = frame.get("payload") or {}
        if frame["type"] == "next" and "errors" not in payload:
            [event] = payload["data"].values()
            self.cursor, self.heard = event["cursor"], self.heard + 1
            self.hears(event)
        else:  # an error, or an end that nobody asked for
            self.owner.failed(time.monotonic(), f"{self.owner.url} subscription: {frame}")
            raise EOFError

    def hears(self, event: dict[str, Any]) -> None:
        """Takes in one event."""

    def cut(self) -> None:
        """Ends the connection without a goodbye."""
        if self.socket is not None:
            self.socket.transport.abort()


class SessionReader(Reader):
    """What it knows of a session is made of events alone; every event that cannot be is counted."""

    def __init__(self, owner: Owner, session: str, after: str) -> None:
        super().__init__(owner, after, session=session)
        self.session = session
        self.messages: dict[str, dict[str, Any]] = {}
        self.title, self._revision = "", 0
        self.doubled: list[str] = []
        self.missed: list[str] = []

    def hears(self, event: dict[str, Any]) -> None:
        match event["__typename"]:
            case "MessageAdded":
                self._added(event["message"])
            case "MessageChanged":
                self._changed(event["message"])
            case "MessageDelta":
                self._grown(event["messageId"], event["offset"], event["text"])
            case "SessionChanged":
                session = event["session"]
                if session["revision"] <= self._revision:
                    self.doubled.append(f"SessionChanged {session['revision']}")
                self.title, self._revision = session["title"], session["revision"]
            case "StreamReset":
                self.missed.append("StreamReset: whatever happened before it")

    def _added(self, message: dict[str, Any]) -> None:
        if message["id"] in self.messages:
            self.doubled.append(f"MessageAdded {message['id']}")
        self.messages[message["id"]] = message

    def _changed(self, message: dict[str, Any]) -> None:
        known = self.messages.get(message["id"])
        if known is None:
            self.missed.append(f"MessageAdded {message['id']}")
        elif message["revision"] <= known["revision"] and message["status"] != "STREAMING":
            # One that is being written comes whole after each cut, so that deltas have something to go on from.
            self.doubled.append(f"MessageChanged {message['id']} {message['revision']}")
        self.messages[message["id"]] = message

    def _grown(self, id: str, offset: int, text: str) -> None:
        known = self.messages.get(id)
        if known is None or offset > len(known["text"]):
            self.missed.append(f"text of {id} before {offset}")
        elif offset < len(known["text"]):
            self.doubled.append(f"MessageDelta {id} at {offset}")
        else:
            self.messages[id] = {**known, "text": known["text"] + text}


class ViewerReader(Reader):
    """What a sidebar knows: every session as it was last told of it. Repeats are no fault here."""

    document = VIEWER_EVENTS

    def __init__(self, owner: Owner, after: str) -> None:
        super().__init__(owner, after)
        self.sessions: dict[str, dict[str, Any]] = {}
        self.resets = 0

    def hears(self, event: dict[str, Any]) -> None:
        match event["__typename"]:
            case "SessionChanged":
                self.sessions[event["session"]["id"]] = event["session"]
            case "StreamReset":
                self.resets += 1

    def lacks(self, stored: dict[str, dict[str, Any]]) -> list[str]:
        """Sessions that it does not know as they are."""
        wrong = [
            f"session: stored {session}, known {self.sessions.get(id)}"
            for id, session in stored.items()
            if self.sessions.get(id) != session
        ]
        return wrong + ["StreamReset"] * self.resets
