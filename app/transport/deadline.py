"""One timer for the time limits of many tasks: a timer for each would cost 15 µs per request."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from app.errors import TimedOut

MAX_TIMER_SECONDS = 3_600.0
"""The longest delay for a timer that waits for a moment on the clock: the clock may be set, and asyncio refuses the
delays that some tokens would need. The timer's callback checks the clock again."""
T = TypeVar("T")


class Deadline:
    """Cancels tasks that run longer than `seconds`, at most a quarter of that late."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`. Raises TimedOut if it takes too long; it is cancelled then."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A deadline needs a running task.")
        self._started[task] = loop.time()
        self._timer = self._timer or self._schedule(loop)
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._expired and task.uncancel() == 0:
                raise TimedOut(f"The request took longer than {self.seconds:g} seconds.") from None
            raise
        finally:
            del self._started[task]
            self._expired.discard(task)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> asyncio.TimerHandle:
        return loop.call_later(min(1.0, self.seconds / 4), self._cancel_expired, loop)

    def _cancel_expired(self, loop: asyncio.AbstractEventLoop) -> None:
        limit = loop.time() - self.seconds
        for task in [task for task, started in self._started.items() if started < limit and task not in self._expired]:
            self._expired.add(task)
            task.cancel()
        self._timer = self._schedule(loop) if self._started else None
