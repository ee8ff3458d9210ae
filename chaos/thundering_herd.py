"""Five hundred subscribers that lose their sockets and reconnect at the same moment."""

import json
import time
from typing import Any

from chaos.client import Client
from chaos.context import Context
from chaos.readers import SESSION_EVENTS
from harness.subscribers import Subscriber, Subscribers

SOCKETS, SESSIONS, APPENDED = 500, 25, 3


class Herd:
    """Subscribers by number; each must receive the messages of its session in order, each once."""

    def __init__(self, client: Client, sessions: list[dict[str, Any]]) -> None:
        self._client, self._sessions = client, sessions
        self._cursors = [sessions[n % SESSIONS]["eventCursor"] for n in range(SOCKETS)]
        self._received = [0] * SOCKETS
        self._subscribers = Subscribers(f"{client.url}/graphql", self._on_event)
        self.missed: list[str] = []
        self.duplicated: list[str] = []

    async def connect(self) -> None:
        """All at once, each with its last cursor; returns when all have caught up."""
        subscriptions = [(self._client.token, self._subscription(number)) for number in range(SOCKETS)]
        self._subscribers = Subscribers(f"{self._client.url}/graphql", self._on_event)
        await self._subscribers.connect(subscriptions, concurrent=SOCKETS)

    def _subscription(self, number: int) -> dict[str, Any]:
        session = self._sessions[number % SESSIONS]["id"]
        variables = {"session": session, "after": self._cursors[number]}
        return {"query": SESSION_EVENTS, "variables": variables, "extensions": {"number": number}}

    def _on_event(self, subscriber: Subscriber, frame: bytes) -> None:
        number = subscriber.payload["extensions"]["number"]
        event = json.loads(frame)["payload"]["data"]["sessionEvents"]
        self._cursors[number] = event["cursor"]
        if event["__typename"] != "MessageAdded":
            return
        sequence, expected = event["message"]["sequence"], self._received[number] + 1
        if sequence < expected:
            self.duplicated.append(f"socket {number}: message {sequence}, expected {expected}")
        elif sequence > expected:
            self.missed.append(f"socket {number}: message {sequence}, expected {expected}")
        self._received[number] = max(sequence, self._received[number])

    def disconnect(self) -> None:
        """Resets every connection."""
        self._subscribers.disconnect()

    async def append_to_every_session(self) -> None:
        """Appends while no subscriber is connected."""
        for session in self._sessions:
            for _ in range(APPENDED):
                await self._client.mutate(
                    "appendMessage", "cursor", sessionId=session["id"], message={"role": "USER", "text": "Still there?"}
                )

    def incomplete(self, appended: int) -> list[str]:
        """The subscribers that have not received all messages of their session."""
        return [f"socket {n}: {last} of {appended}" for n, last in enumerate(self._received) if last != appended]


async def reconnect_at_once(context: Context) -> float:
    """Cuts all sockets, appends, and reconnects; returns the moment of the first reconnect."""
    herd = context.state.get("herd")
    if herd is None:
        herd = context.state["herd"] = await _herd(context)
        await herd.connect()
    herd.disconnect()
    await herd.append_to_every_session()
    reconnecting = time.monotonic()
    await herd.connect()
    appended = APPENDED * (context.counts.faults + 1)
    context.counts.note(f"seconds until all {SOCKETS} had caught up", time.monotonic() - reconnecting)
    context.counts.missed += context.counts.find("missed", herd.missed + herd.incomplete(appended))
    context.counts.duplicated += context.counts.find("duplicated", herd.duplicated)
    herd.missed, herd.duplicated = [], []
    return reconnecting


async def _herd(context: Context) -> Herd:
    client = context.load.client("herd")
    sessions = [
        (await client.mutate("createSession", "session { id eventCursor }", f"herd {number}"))["session"]
        for number in range(SESSIONS)
    ]
    return Herd(client, sessions)
