"""What every bus between processes does: it comes back by itself, keeps what could not be said, and says it again."""

import asyncio
import random
import secrets
from collections.abc import Iterator
from contextlib import suppress

import orjson

from app.live.bus import Bus, Changes, note
from app.structured_log import get_logger

log = get_logger("colloquy.live")

CHANNEL = "colloquy"
RETRY_SECONDS = 0.1, 1.0  # the first wait and the longest one, each cut by chance so that replicas do not come at once
TELL_SECONDS = 2.0
MOST_UNSENT = 10_000


class SharedBus(Bus):
    """Wakes the readers of other processes too.

    A subclass says how; `name` is what a person calls it. Nobody waits for it: while it is down the moves are kept,
    and readers poll.
    """

    name: str
    payload_bytes: int
    beat_seconds: float

    def __init__(self) -> None:
        super().__init__()
        self._node = secrets.token_hex(8)
        self._unsent: Changes = {}
        self._due = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._tries = 0
        self.healthy = False
        self.found = self.lost = 0

    async def listen(self) -> None:
        """Hears until the connection is lost; `connected` once nothing more can be missed, `hear` of each payload."""
        raise NotImplementedError

    async def tell(self, payload: str) -> None:
        """Hands a payload to all processes; raises when it may not have arrived."""
        raise NotImplementedError

    async def beat(self) -> None:
        """After a silence: raises, or makes `listen` end, if nobody would hear."""
        raise NotImplementedError

    async def start(self) -> None:
        self._listening = asyncio.create_task(self._stay_connected())
        self._speaking = asyncio.create_task(self._speak())

    async def stop(self) -> None:
        """Says what is left to say, if that takes no time."""
        await _end(self._speaking)
        self._send_off()
        if self.healthy and self._unsent:
            with suppress(Exception):
                await self._say(self._take())
        await _end(self._listening)

    def send(self, moved: Changes) -> None:
        for (owner, session_id, _), number in moved.items():
            if len(self._unsent) < MOST_UNSENT:  # a lost wake-up costs the others one slow poll
                note(self._unsent, (owner, session_id), number)
        self._due.set()

    def connected(self) -> None:
        """From now on everything is heard; what was said before may have been missed."""
        if not self.healthy:
            self.healthy, self._tries = True, 0
            self.found += 1
            self.wake_all()
            log.info("live.bus_found", bus=self.name)

    def hear(self, payload: str | bytes) -> bool:
        """Wakes whom it concerns; whether it came from this very process, whose readers know already."""
        try:
            node, moved = orjson.loads(payload)
            if node == self._node:
                return True
            for owner, session_id, number in moved:
                self.wake((owner, session_id), number)
                self.received += 1
        except (ValueError, TypeError):
            log.warning("live.wake_up_unreadable", bus=self.name)
        return False

    async def _stay_connected(self) -> None:
        while True:
            why = "closed"
            try:
                await self.listen()
            except Exception as loss:  # whatever it was: there is no other way back than to try again
                why = f"{type(loss).__name__}: {loss}"
            if not self._tries:
                log.warning("live.bus_lost", bus=self.name, why=why)
            if self.healthy:
                self.lost += 1
                self.healthy = False
                self.wake_all()  # from the long sleep between polls into the short one
            self._tries += 1
            await asyncio.sleep(_wait(self._tries))

    async def _speak(self) -> None:
        tries = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.beat_seconds):
                    await self._due.wait()
            moved = self._take()
            try:
                await self._say(moved)
                tries = 0
            except BaseException as failure:
                self.send(moved)
                if not isinstance(failure, Exception):
                    raise
                tries += 1
                await asyncio.sleep(_wait(tries))

    def _take(self) -> Changes:
        moved, self._unsent = self._unsent, {}
        self._due.clear()
        return moved

    async def _say(self, moved: Changes) -> None:
        async with asyncio.timeout(TELL_SECONDS):
            if not moved:
                await self.beat()
            for payload in self.payloads(moved):
                await self.tell(payload)

    def payloads(self, moved: Changes) -> Iterator[str]:
        """As few as their size allows; ids and numbers, nothing else."""
        batch: list[tuple[str, str, int | None]] = []
        size = 0
        for (owner, session_id, _), number in moved.items():
            cost = len(orjson.dumps((owner, session_id, number))) + 1
            if batch and size + cost > self.payload_bytes:
                yield self.payload(batch)
                batch, size = [], 0
            batch.append((owner, session_id, number))
            size += cost
        if batch:
            yield self.payload(batch)

    def payload(self, batch: list[tuple[str, str, int | None]]) -> str:
        """The text of one wake-up for all."""
        return orjson.dumps((self._node, batch)).decode()


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _wait(tries: int) -> float:
    shortest, longest = RETRY_SECONDS
    return min(longest, shortest * (1 << min(tries, 10))) * random.uniform(0.5, 1)  # noqa: S311
