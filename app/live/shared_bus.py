"""Wake-ups between processes: reconnects without end, keeps what could not be sent, and sends it again."""

import asyncio
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from time import monotonic

import orjson

from app.live.bus import Bus, Changes, merge_change
from app.structured_log import get_logger

log = get_logger("colloquy.live")

WAKE_UP_CHANNEL = "colloquy"
RETRY_SECONDS = 0.1, 1.0  # the first delay and the longest; jitter keeps replicas from reconnecting together
MAX_UNSENT = 10_000
OUT_OF_REACH = "is out of reach"
CAUSE_BYTES = 10  # of a cause in a payload, beside its text


class SharedBus(Bus):
    """A bus between processes over PostgreSQL or Redis, which a subclass connects to.

    Nothing waits for it: while it is down, it keeps the wake-ups that it could not send, and readers poll.

    A payload is the JSON of [origin, [[owner, session id, revision], ...]]. The origin is [process id, when the oldest
    change came to the bus, in monotonic seconds, causes], where a cause is [index of a change, `traceparent`]. Versions
    that sent the process id alone compare the origin with their own id, and ignore what else it holds.
    """

    name: str
    """For logs and `/readyz`."""
    max_payload_bytes: int
    trouble = OUT_OF_REACH
    """Why it is not healthy, for `/readyz`."""

    def __init__(self, *, heartbeat_seconds: float, send_timeout_seconds: float) -> None:
        super().__init__()
        self._heartbeat_seconds, self._send_timeout = heartbeat_seconds, send_timeout_seconds
        self._process_id = secrets.token_hex(8)
        self._unsent: Changes = {}
        self._unsent_since: float | None = None
        self._sending_since: float | None = None
        self._has_unsent = asyncio.Event()
        self._receiver: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._failures = 0
        self.healthy = False
        self.connects = self.disconnects = 0
        self.on_return: Callable[[float], None] = lambda _seconds: None
        """Receives how long a payload took until it came back to this process."""

    async def receive(self) -> None:
        """Receives until the connection is lost.

        Calls `on_connected` once no further payload can be missed, and `on_payload` for each payload.
        """
        raise NotImplementedError

    async def send(self, payload: str) -> None:
        """Sends a payload to all processes; raises if it may not have arrived."""
        raise NotImplementedError

    async def heartbeat(self) -> None:
        """After a silence: raises, or ends `receive`, if the connection is dead."""
        raise NotImplementedError

    async def start(self) -> None:
        """Connects in the background."""
        self._receiver = asyncio.create_task(self._receive_forever())
        self._sender = asyncio.create_task(self._send_forever())

    async def stop(self) -> None:
        """Sends what is unsent if the bus is healthy, and disconnects."""
        await _cancel(self._sender)
        self.flush()
        if self.healthy and self._unsent:
            with suppress(Exception):
                await self._send_all(self._take_unsent())
        await _cancel(self._receiver)

    def broadcast(self, changes: Changes) -> None:
        if self._unsent_since is None:
            self._unsent_since = monotonic()
        for (owner, session_id, _), revision in changes.items():
            if len(self._unsent) < MAX_UNSENT:  # a dropped wake-up delays other processes by one poll
                merge_change(self._unsent, (owner, session_id), revision)
        self._has_unsent.set()

    def on_connected(self) -> None:
        """No payload is missed from here on; earlier ones may have been."""
        if not self.healthy:
            self.healthy, self._failures = True, 0
            self.connects += 1
            self.notify_all()
            log.info("live.bus_connected", bus=self.name)

    def on_payload(self, payload: str | bytes) -> bool:
        """Notifies the listeners; True if this process sent the payload and has notified them before."""
        try:
            origin, changes = orjson.loads(payload)
            process_id, since, causes, *_ = origin if isinstance(origin, list) else (origin, 0.0, ())
            if process_id == self._process_id:
                self.on_return(monotonic() - since)
                return True
            if self.causes:
                for index, cause in causes:
                    owner, session_id, revision = changes[index]
                    self.causes.received(owner, session_id, revision, cause)
            for owner, session_id, revision in changes:
                self.notify((owner, session_id), revision)
                self.received += 1
        except (ValueError, TypeError, IndexError):
            log.warning("live.payload_invalid", bus=self.name)
        return False

    async def _receive_forever(self) -> None:
        while True:
            reason = "closed"
            try:
                await self.receive()
            except Exception as error:  # of any kind: reconnecting is the only remedy
                reason = f"{type(error).__name__}: {error}"
            if not self._failures:
                log.warning("live.bus_disconnected", bus=self.name, reason=reason)
            if self.healthy:
                self.disconnects += 1
                self.healthy = False
                self.notify_all()  # wake-ups of the last moments may be lost
            self._failures += 1
            await asyncio.sleep(_retry_delay(self._failures))

    async def _send_forever(self) -> None:
        failures = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat_seconds):
                    await self._has_unsent.wait()
            changes = self._take_unsent()
            try:
                await self._send_all(changes)
                failures = 0
            except BaseException as error:
                self._unsent_since = self._sending_since
                self.broadcast(changes)
                if not isinstance(error, Exception):
                    raise
                failures += 1
                await asyncio.sleep(_retry_delay(failures))

    def _take_unsent(self) -> Changes:
        changes, self._unsent = self._unsent, {}
        self._sending_since, self._unsent_since = self._unsent_since, None
        self._has_unsent.clear()
        return changes

    async def _send_all(self, changes: Changes) -> None:
        async with asyncio.timeout(self._send_timeout):
            if not changes:
                await self.heartbeat()
            for payload in self.payloads(changes):
                await self.send(payload)

    def payloads(self, changes: Changes) -> Iterator[str]:
        """The changes as JSON, in as few payloads as `max_payload_bytes` allows."""
        batch: list[tuple[str, str, int | None]] = []
        causes: list[tuple[int, str]] = []
        size = 0
        for (owner, session_id, _), revision in changes.items():
            own_causes = self.causes.take(owner, session_id) if self.causes else ()
            cost = len(orjson.dumps((owner, session_id, revision))) + 1
            cost += sum(len(cause) + CAUSE_BYTES for cause in own_causes)
            if batch and size + cost > self.max_payload_bytes:
                yield self.payload(batch, causes)
                batch, causes, size = [], [], 0
            causes += [(len(batch), cause) for cause in own_causes]
            batch.append((owner, session_id, revision))
            size += cost
        if batch:
            yield self.payload(batch, causes)

    def payload(self, batch: Sequence[tuple[str, str, int | None]], causes: Sequence[tuple[int, str]] = ()) -> str:
        """The JSON of a payload; without changes it serves as a heartbeat."""
        since = self._sending_since or monotonic()
        return orjson.dumps(((self._process_id, round(since, 4), causes), batch)).decode()


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _retry_delay(failures: int) -> float:
    shortest, longest = RETRY_SECONDS
    return min(longest, shortest * (1 << min(failures, 10))) * random.uniform(0.5, 1)  # noqa: S311
