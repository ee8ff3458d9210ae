"""Five hundred subscribers who lose their sockets and come back at the same moment."""

import json
import time
from typing import Any

from bench.live.sockets import Crowd, Subscriber
from chaos.arena import Arena
from chaos.owner import Owner
from chaos.readers import SESSION_EVENTS

SOCKETS, SESSIONS, SAID = 500, 25, 3


class Herd:
    """Subscribers by number; each must hear the messages of its session one after the other, each once."""

    def __init__(self, owner: Owner, sessions: list[dict[str, Any]]) -> None:
        self._owner, self._sessions = owner, sessions
        self._cursors = [sessions[n % SESSIONS]["eventCursor"] for n in range(SOCKETS)]
        self._heard = [0] * SOCKETS
        self._crowd = Crowd(f"{owner.url}/graphql", self._hears)
        self._number: dict[Subscriber, int] = {}
        self.missed: list[str] = []
        self.doubled: list[str] = []

    async def comes(self) -> None:
        """All at once, each with its last cursor; returns when all have caught up."""
        wanted = [(self._owner.token, self._subscription(number)) for number in range(SOCKETS)]
        self._crowd = Crowd(f"{self._owner.url}/graphql", self._hears)
        await self._crowd.join(wanted, at_once=SOCKETS)

    def _subscription(self, number: int) -> dict[str, Any]:
        session = self._sessions[number % SESSIONS]["id"]
        variables = {"session": session, "after": self._cursors[number]}
        return {"query": SESSION_EVENTS, "variables": variables, "extensions": {"number": number}}

    def _hears(self, subscriber: Subscriber, frame: bytes) -> None:
        number = subscriber.payload["extensions"]["number"]
        event = json.loads(frame)["payload"]["data"]["sessionEvents"]
        self._cursors[number] = event["cursor"]
        if event["__typename"] != "MessageAdded":
            return
        sequence, expected = event["message"]["sequence"], self._heard[number] + 1
        if sequence < expected:
            self.doubled.append(f"socket {number}: message {sequence}, expected {expected}")
        elif sequence > expected:
            self.missed.append(f"socket {number}: message {sequence}, expected {expected}")
        self._heard[number] = max(sequence, self._heard[number])

    def is_cut(self) -> None:
        self._crowd.leave()

    async def is_told(self) -> None:
        """Something in every session, while nobody listens."""
        for session in self._sessions:
            for _ in range(SAID):
                await self._owner.does(
                    "appendMessage", "cursor", sessionId=session["id"], message={"role": "USER", "text": "Still there?"}
                )

    def behind(self, said: int) -> list[str]:
        """Who has not heard everything."""
        return [f"socket {number}: {heard} of {said}" for number, heard in enumerate(self._heard) if heard != said]


async def reconnect_at_once(arena: Arena) -> float:
    """Cut, told something, back: returns the moment from which they come back."""
    herd = arena.keeps.get("herd")
    if herd is None:
        herd = arena.keeps["herd"] = await _herd(arena)
        await herd.comes()
    herd.is_cut()
    await herd.is_told()
    back = time.monotonic()
    await herd.comes()
    said = SAID * (arena.counts.faults + 1)
    arena.counts.note(f"seconds until all {SOCKETS} had caught up", time.monotonic() - back)
    arena.counts.missed += arena.counts.find("missed", herd.missed + herd.behind(said))
    arena.counts.doubled += arena.counts.find("doubled", herd.doubled)
    herd.missed, herd.doubled = [], []
    return back


async def _herd(arena: Arena) -> Herd:
    owner = arena.load.owner("herd")
    made = [
        (await owner.does("createSession", "session { id eventCursor }", f"herd {number}"))["session"]
        for number in range(SESSIONS)
    ]
    return Herd(owner, made)
