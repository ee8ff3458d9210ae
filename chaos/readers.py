"""Readers: each follows events across every lost connection, and builds its state from the events alone."""

import asyncio
import json
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from chaos.client import RETRY_SECONDS, Client

PROTOCOL = Subprotocol("graphql-transport-ws")
ACK_SECONDS = 10
CONNECTION_LOST = (OSError, EOFError, TimeoutError, WebSocketException)

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
SIDEBAR_FIELDS = "id title status messageCount unreadCount streaming archivedAt"
SESSIONS = f"{{ sessions(first: 100) {{ nodes {{ {SIDEBAR_FIELDS} }} }} }}"
VIEWER_EVENTS = f"""
subscription ($after: String) {{
  viewerEvents(after: $after) {{
    __typename
    ... on Event {{ cursor }}
    ... on SessionChanged {{ session {{ {SIDEBAR_FIELDS} }} }}
  }}
}}
"""


async def send(socket: ClientConnection, kind: str, payload: Any) -> None:
    """Sends one frame of the only operation on a socket."""
    await socket.send(json.dumps({"id": "1", "type": kind, "payload": payload}))


async def sessions_of(client: Client) -> dict[str, dict[str, Any]]:
    """The owner's sessions as a sidebar shows them, by id."""
    found = (await client.execute(SESSIONS))["sessions"]["nodes"]
    return {session["id"]: session for session in found}


class Reader:
    """A subscription that is resumed from its last cursor whenever its socket is lost."""

    document = SESSION_EVENTS

    def __init__(self, client: Client, after: str, **variables: Any) -> None:
        self.client, self.cursor, self._variables = client, after, variables
        self.socket: ClientConnection | None = None
        self.received = 0

    async def follow(self) -> None:
        """Follows until it is cancelled."""
        while True:
            began = time.monotonic()
            try:
                await self._follow_once()
            except CONNECTION_LOST as error:
                if self.socket is None:  # not even connected
                    reason = f"{self.client.url} socket: {type(error).__name__} {error}"
                    self.client.record_failure(began, reason, lost_connection=True)
            self.socket = None
            self.client.switch_replica()
            await self.client.pause(*RETRY_SECONDS)

    async def _follow_once(self) -> None:
        address = f"ws{self.client.url.removeprefix('http')}/graphql"
        async with connect(address, subprotocols=[PROTOCOL], compression=None, max_size=None) as socket:
            await send(socket, "connection_init", {"Authorization": f"Bearer {self.client.token}"})
            json.loads(await asyncio.wait_for(socket.recv(), ACK_SECONDS))
            variables = {**self._variables, "after": self.cursor}
            await send(socket, "subscribe", {"query": self.document, "variables": variables})
            self.socket = socket
            async for text in socket:
                await self._receive(json.loads(text))

    async def _receive(self, frame: dict[str, Any]) -> None:
        payload = frame.get("payload") or {}
        if frame["type"] == "next" and "errors" not in payload:
            [event] = payload["data"].values()
            self.cursor, self.received = event["cursor"], self.received + 1
            self.on_event(event)
            if event["__typename"] == "StreamReset":
                await self.reload()
        else:  # an error, or a completion that the reader did not ask for
            self.client.record_failure(time.monotonic(), f"{self.client.url} subscription: {frame}")
            raise EOFError

    def on_event(self, event: dict[str, Any]) -> None:
        """Applies one event to the reader's state."""

    async def reload(self) -> None:
        """Reads the state again, after a StreamReset."""

    def cut(self) -> None:
        """Resets the connection, without a close frame."""
        if self.socket is not None:
            self.socket.transport.abort()


class SessionReader(Reader):
    """A session as its events describe it; an event that contradicts the ones before is counted."""

    def __init__(self, client: Client, session: str, after: str) -> None:
        super().__init__(client, after, session=session)
        self.session = session
        self.messages: dict[str, dict[str, Any]] = {}
        self.title, self._revision = "", 0
        self.duplicated: list[str] = []
        self.missed: list[str] = []

    def on_event(self, event: dict[str, Any]) -> None:
        match event["__typename"]:
            case "MessageAdded":
                self._add(event["message"])
            case "MessageChanged":
                self._change(event["message"])
            case "MessageDelta":
                self._extend(event["messageId"], event["offset"], event["text"])
            case "SessionChanged":
                session = event["session"]
                if session["revision"] <= self._revision:
                    self.duplicated.append(f"SessionChanged {session['revision']}")
                self.title, self._revision = session["title"], session["revision"]
            case "StreamReset":
                self.missed.append("StreamReset: whatever happened before it")

    def _add(self, message: dict[str, Any]) -> None:
        if message["id"] in self.messages:
            self.duplicated.append(f"MessageAdded {message['id']}")
        self.messages[message["id"]] = message

    def _change(self, message: dict[str, Any]) -> None:
        known = self.messages.get(message["id"])
        if known is None:
            self.missed.append(f"MessageAdded {message['id']}")
        elif message["revision"] <= known["revision"] and message["status"] != "STREAMING":
            # A streaming message comes whole after each lost connection: deltas go on from its text.
            self.duplicated.append(f"MessageChanged {message['id']} {message['revision']}")
        self.messages[message["id"]] = message

    def _extend(self, id: str, offset: int, text: str) -> None:
        known = self.messages.get(id)
        if known is None or offset > len(known["text"]):
            self.missed.append(f"text of {id} before {offset}")
        elif offset < len(known["text"]):
            self.duplicated.append(f"MessageDelta {id} at {offset}")
        else:
            self.messages[id] = {**known, "text": known["text"] + text}


class ViewerReader(Reader):
    """A sidebar's state: every session as its last event had it, or the list that it reads after a StreamReset.

    An event may come twice here.
    """

    document = VIEWER_EVENTS

    def __init__(self, client: Client, after: str) -> None:
        super().__init__(client, after)
        self.sessions: dict[str, dict[str, Any]] = {}
        self.resets = self.permitted_resets = 0

    def on_event(self, event: dict[str, Any]) -> None:
        match event["__typename"]:
            case "SessionChanged":
                self.sessions[event["session"]["id"]] = event["session"]
            case "StreamReset":
                self.resets += 1

    async def reload(self) -> None:
        self.sessions = await sessions_of(self.client)

    def differences(self, stored: dict[str, dict[str, Any]]) -> list[str]:
        """The stored sessions, by id, that the sidebar lacks or has otherwise."""
        wrong = [
            f"session: stored {session}, known {self.sessions.get(id)}"
            for id, session in stored.items()
            if self.sessions.get(id) != session
        ]
        return wrong + ["StreamReset"] * (self.resets - self.permitted_resets)
