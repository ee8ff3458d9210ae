"""Wake-ups: "owner/session moved to n". They carry no data, and a lost one only costs latency (invariant 4)."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

COALESCE_SECONDS = 0.02

Subject = tuple[str, str]
EVERYTHING = ""  # in place of a session: all of the owner's, and what lies in no session
Changes = dict[tuple[str, str, bool], int | None]
"""To which number, by owner and session; and apart from that, with None, where the text of a stream has grown."""


def note(changes: Changes, subject: Subject, number: int | None) -> None:
    """Adds one: of several numbers the highest counts, in whatever order they come.

    That text was added counts beside any number, which readers may have been told before it was.
    """
    move = (*subject, number is None)
    changes[move] = None if number is None else max(number, changes.get(move) or 0)


class Ear(Protocol):
    """Whoever wants to know that a session, or anything of an owner, has moved."""

    def wake(self, number: int | None, /) -> None:
        """Something moved to `number`; None when nobody knows."""


class Bus:
    """The wake-ups of one process: to its own readers at once, to other processes by what a subclass does."""

    def __init__(self) -> None:
        self._ears: dict[Subject, Ear] = {}
        self._moved: Changes = {}
        self._flush: asyncio.TimerHandle | None = None
        self.healthy = True
        self.sent = self.received = 0

    def open_ear(self, subject: Subject, ear: Ear) -> None:
        """One ear a subject, open until `close_ear`."""
        self._ears[subject] = ear

    def close_ear(self, subject: Subject) -> None:
        """Closes the subject's ear."""
        self._ears.pop(subject, None)

    def moved(self, owner: str, changes: Iterable[tuple[str, int | None]]) -> None:
        """After a commit: wakes this process's readers, and soon those of the others."""
        for session_id, number in changes:
            subject = owner, session_id
            self.wake(subject, number)
            note(self._moved, subject, number)
        if self._moved and self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self._send_off)

    def wake(self, subject: Subject, number: int | None) -> None:
        """Wakes who listens to a session; and to its owner, unless only a stream has grown."""
        if ear := self._ears.get(subject):
            ear.wake(number)
        if number is not None and (ear := self._ears.get((subject[0], EVERYTHING))):
            ear.wake(None)

    def wake_all(self) -> None:
        """After wake-ups may have been lost: everybody looks."""
        for ear in list(self._ears.values()):
            ear.wake(None)

    def _send_off(self) -> None:
        moved, self._moved, self._flush = self._moved, {}, None
        self.sent += len(moved)
        self.send(moved)

    def send(self, moved: Changes) -> None:
        """Tells the other processes. A bus of one process has none."""

    async def start(self) -> None:
        """Opens what `send` needs."""

    async def stop(self) -> None:
        """Closes it."""
