"""Wake-ups: "owner/session moved to n". They carry no data, and a lost one only costs latency (invariant 4)."""

import asyncio
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
import orjson
import structlog
from asyncpg.exceptions import InterfaceError, PostgresError

log = structlog.get_logger("colloquy.live")
CHANNEL = "colloquy"
COALESCE_SECONDS = 0.02
RETRY_SECONDS = 1.0
PAYLOAD_BYTES = 7_900  # PostgreSQL refuses 8,000 and more

LOST = (OSError, PostgresError, InterfaceError)

Subject = tuple[str, str]
EVERYTHING = ""  # in place of a session: all of the owner's, and what lies in no session
Moves = dict[Subject, int | None]
"""To which number; None where only the text of a stream has grown."""


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
            self._moved[subject] = self._moved.get(subject) if number is None else number
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


class PostgresBus(Bus):
    """LISTEN/NOTIFY on one connection of its own, which reconnects by itself."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._dsn, self._node = dsn, secrets.token_hex(8)
        self._connection: Any = None
        self._queue: asyncio.Queue[Moves] = asyncio.Queue(maxsize=1_000)
        self._tasks: list[asyncio.Task[None]] = []
        self.healthy = False

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._stay_connected()), asyncio.create_task(self._notify())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close(timeout=1)

    def send(self, moved: Moves) -> None:
        if not self._queue.full():  # a lost wake-up costs the others one slow poll
            self._queue.put_nowait(moved)

    async def _stay_connected(self) -> None:
        while True:
            with suppress(*LOST, TimeoutError):
                await self._listen()
            self.healthy, self._connection = False, None
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        closed = asyncio.Event()
        connection: Any = await asyncpg.connect(  # type: ignore[no-untyped-call]
            self._dsn, timeout=10
        )
        connection.add_termination_listener(lambda _: closed.set())
        await connection.add_listener(CHANNEL, self._hear)
        self._connection, self.healthy = connection, True
        self.wake_all()
        await closed.wait()
        log.warning("live.listen_lost")

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        node, moved = orjson.loads(str(payload))
        if node != self._node:
            self.received += len(moved)
            for owner, session_id, number in moved:
                self.wake((owner, session_id), number)

    async def _notify(self) -> None:
        while True:
            moved = await self._queue.get()
            for payload in self._payloads(moved):
                if self._connection is not None:
                    with suppress(*LOST):
                        await self._connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)

    def _payloads(self, moved: Moves) -> Iterator[str]:
        """As few notifications as their size allows."""
        batch: list[tuple[str, str, int | None]] = []
        size = 0
        for (owner, session_id), number in moved.items():
            cost = len(orjson.dumps((owner, session_id, number))) + 1
            if batch and size + cost > PAYLOAD_BYTES:
                yield orjson.dumps((self._node, batch)).decode()
                batch, size = [], 0
            batch.append((owner, session_id, number))
            size += cost
        yield orjson.dumps((self._node, batch)).decode()
