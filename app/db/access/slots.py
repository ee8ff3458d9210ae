"""The slots of the pool: one for each connection. A task holds a slot while it uses a connection."""

import asyncio
from collections import deque
from contextlib import suppress

from app.errors import Unavailable


class Slots:
    """A semaphore: at most `size` tasks hold a slot. A wait of more than `timeout` seconds raises Unavailable.

    One timer for all that wait: on a busy server nearly every statement waits, and a timer for each costs 5 µs.
    """

    def __init__(self, size: int, timeout: float) -> None:
        self._free = size
        """How many more tasks may hold one; 0 while tasks wait."""
        self._timeout = timeout
        self._waiters: deque[tuple[float, asyncio.Future[None]]] = deque()
        """When each wait ends, in the loop's time, and its future. All have the same limit, so the first ends first."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many tasks wait."""
        return len(self._waiters)

    def try_acquire(self) -> bool:
        """Takes a slot if one is free."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def acquire(self) -> None:
        """Takes a slot; the task that has waited longest gets the next one. Raises Unavailable."""
        if self.try_acquire():
            return
        loop = asyncio.get_running_loop()
        entry = loop.time() + self._timeout, (waiter := loop.create_future())
        self._waiters.append(entry)
        self._timer = self._timer or loop.call_at(entry[0], self._expire, loop)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                with suppress(ValueError):  # `release` may have passed over it already
                    self._waiters.remove(entry)
            elif waiter.exception() is None:
                self.release()  # it was handed to this task in the same moment
            raise

    def release(self) -> None:
        """Gives a slot back: to the task that has waited longest, if one waits."""
        while self._waiters:
            _, waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._waiters:
            end, waiter = self._waiters[0]
            if end > loop.time():
                self._timer = loop.call_at(end, self._expire, loop)
                return
            self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(Unavailable("All database connections are busy; try again."))
