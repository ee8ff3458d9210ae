"""Wake-ups: "owner/session moved to n". They carry no data, and a lost one only costs latency (invariant 4)."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

COALESCE_SECONDS = 0.02

Subject = tuple[str, str]
EVERYTHING = ""  # in place of a session: all of the owner's, and what lies in no session
Moves = dict[Subject, int | None]
"""To which number; None where only the text of a stream has grown."""


def note(moves: Moves, subject: Subject, number: int | None) -> None:
    """Adds one: of several numbers the highest counts, in whatever order they come."""
    known = moves.get(subject)
    moves[subject] = known if number is None else max(number, known or 0)


class Watch:
    """One reader's ear on one session, or on everything of one owner."""

    __slots__ = ("_event", "number")

    def __init__(self) -> None:
        self._event, self.number = asyncio.Event(), 0

    def wake(self, number: int | None) -> None:
        """Something moved to `number`; None when nobody knows."""
        if number is None or number > self.number:
            self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until a wake-up, or as long as the slow poll beneath allows."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for would lose a cancellation that meets a wake-up
                await self._event.wait()
        self._event.clear()


class Bus:
    """The wake-ups of one process: to its own readers at once, to other processes by what a subclass does."""

    def __init__(self) -> None:
        self._watches: dict[Subject, set[Watch]] = {}
        self._moved: Moves = {}
        self._flush: asyncio.TimerHandle | None = None
        self.healthy = True
        self.sent = self.received = 0

    @contextmanager
    def watch(self, owner: str, session_id: str = EVERYTHING) -> Iterator[Watch]:
        """Ears open from here to the end of the block."""
        watch, subject = Watch(), (owner, session_id)
        self._watches.setdefault(subject, set()).add(watch)
        try:
            yield watch
        finally:
            self._watches[subject].discard(watch)
            if not self._watches[subject]:
                del self._watches[subject]

    def moved(self, owner: str, moves: Iterable[tuple[str, int | None]]) -> None:
        """After a commit: wakes this process's readers, and soon those of the others."""
        for session_id, number in moves:
            subject = owner, session_id
            self.wake(subject, number)
            note(self._moved, subject, number)
        if self._moved and self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self._send_off)

    def wake(self, subject: Subject, number: int | None) -> None:
        """Wakes this process's readers of one session; those of its owner too, unless only a stream has grown."""
        for watch in self._watches.get(subject, ()):
            watch.wake(number)
        if number is not None:
            for watch in self._watches.get((subject[0], EVERYTHING), ()):
                watch.wake(None)

    def wake_all(self) -> None:
        """After wake-ups may have been lost: everybody looks."""
        for subject in list(self._watches):
            self.wake(subject, None)

    def _send_off(self) -> None:
        moved, self._moved, self._flush = self._moved, {}, None
        self.sent += len(moved)
        self.send(moved)

    def send(self, moved: Moves) -> None:
        """Tells the other processes. A bus of one process has none."""

    async def start(self) -> None:
        """Opens what `send` needs."""

    async def stop(self) -> None:
        """Closes it."""
