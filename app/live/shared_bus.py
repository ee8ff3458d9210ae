"""Wake-ups between processes: reconnects without end, keeps what could not be sent, and sends it again."""

import asyncio
import random
import secrets
from collections.abc import Iterator
from contextlib import suppress

import orjson

from app.live.bus import Bus, Changes, merge_change
from app.structured_log import get_logger

log = get_logger("colloquy.live")

WAKE_UP_CHANNEL = "colloquy"
RETRY_SECONDS = 0.1, 1.0  # the first delay and the longest; jitter keeps replicas from reconnecting together
MAX_UNSENT = 10_000


class SharedBus(Bus):
    """A bus between processes over PostgreSQL or Redis, which a subclass connects to.

    Nothing waits for it: while it is down, it keeps the wake-ups that it could not send, and readers poll.
    """

    name: str
    """For logs and `/readyz`."""
    max_payload_bytes: int

    def __init__(self, *, heartbeat_seconds: float, send_timeout_seconds: float) -> None:
        super().__init__()
        self._heartbeat_seconds, self._send_timeout = heartbeat_seconds, send_timeout_seconds
        self._process_id = secrets.token_hex(8)
        self._unsent: Changes = {}
        self._has_unsent = asyncio.Event()
        self._receiver: asyncio.Task[None] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._failures = 0
        self.healthy = False
        self.connects = self.disconnects = 0

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
            process_id, changes = orjson.loads(payload)
            if process_id == self._process_id:
                return True
            for owner, session_id, revision in changes:
                self.notify((owner, session_id), revision)
                self.received += 1
        except (ValueError, TypeError):
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
                self.broadcast(changes)
                if not isinstance(error, Exception):
                    raise
                failures += 1
                await asyncio.sleep(_retry_delay(failures))

    def _take_unsent(self) -> Changes:
        changes, self._unsent = self._unsent, {}
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
        size = 0
        for (owner, session_id, _), revision in changes.items():
            cost = len(orjson.dumps((owner, session_id, revision))) + 1
            if batch and size + cost > self.max_payload_bytes:
                yield self.payload(batch)
                batch, size = [], 0
            batch.append((owner, session_id, revision))
            size += cost
        if batch:
            yield self.payload(batch)

    def payload(self, batch: list[tuple[str, str, int | None]]) -> str:
        """The JSON of [process id, [[owner, session id, revision], ...]]."""
        return orjson.dumps((self._process_id, batch)).decode()


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _retry_delay(failures: int) -> float:
    shortest, longest = RETRY_SECONDS
    return min(longest, shortest * (1 << min(failures, 10))) * random.uniform(0.5, 1)  # noqa: S311
