"""Who follows what: the channels of one process, how many may listen, and the slow poll beneath (invariant 4)."""

import asyncio
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Any

from app.db.access.database import Database, Viewer
from app.errors import RateLimited
from app.live.bus import EVERYTHING, Bus, Subject
from app.live.channel import Channel
from app.live.cursors import Horizon
from app.live.reader import Reader
from app.live.session_reader import SessionReader
from app.live.subscription import Show, Stream
from app.live.viewer_reader import ViewerReader, present
from app.structured_log import get_logger

log = get_logger("colloquy.live")
POLL_SECONDS = 30.0
DEGRADED_POLL_SECONDS = 2.0
RETRY_SECONDS = 1.0
TICK_SECONDS = 0.25
WAKES_AT_ONCE, BREATH_SECONDS = 50, 0.1  # a poll of thousands must not be felt


class Hub:
    """Follows sessions and viewers: their rows from the database, the moment to look from the bus.

    `kept` is how long tombstones stay, in seconds; None is for ever. At most `per_viewer` streams are open for one
    subject, and `most` in all.
    """

    def __init__(
        self, db: Database, bus: Bus, *, kept: float | None = None, per_viewer: int = 100, most: int = 10_000
    ) -> None:
        self._db, self._bus, self._kept = db, bus, kept
        self._per_viewer, self._most = per_viewer, most
        self._channels: dict[Subject, Channel[Any]] = {}
        self._open: Counter[str] = Counter()

    @property
    def streams(self) -> int:
        """How many are open."""
        return self._open.total()

    def session_events(
        self, viewer: Viewer, session_id: str, show: Show, after: str | None = None, follow: bool = True
    ) -> Stream[Any]:
        """What happens in a session. Raises Absent, once it is read, when there is no such session, and none was
        erased after the cursor."""
        subject = viewer.subject, session_id
        return self._stream(subject, lambda: SessionReader(self._db, viewer, session_id), show, after, follow)

    def viewer_events(self, viewer: Viewer, show: Show, after: str | None = None, follow: bool = True) -> Stream[Any]:
        """What happens to the viewer's sessions, tasks and approvals."""
        subject = viewer.subject, EVERYTHING
        return self._stream(subject, lambda: ViewerReader(self._db, viewer, self._kept), show, after, follow)

    async def now(self, viewer: Viewer) -> Horizon:
        """Where the viewer's events go on from this moment."""
        return await present(self._db, viewer)

    async def poll(self) -> None:
        """Wakes everybody now and then, sooner while wake-ups may be lost; until it is cancelled."""
        polled = retried = monotonic()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            channels, now = list(self._channels.values()), monotonic()
            if now - polled >= (POLL_SECONDS if self._bus.healthy else DEGRADED_POLL_SECONDS):
                polled = now
                await _wake(channels)
            elif now - retried >= RETRY_SECONDS:
                retried = now
                await _wake(_behind(channels))

    def _stream(
        self, subject: Subject, make: Callable[[], Reader[Any]], show: Show, after: str | None, follow: bool
    ) -> Stream[Any]:
        return Stream(lambda: self._enter(subject, make), lambda: self._leave(subject), show, after, follow)

    def _enter(self, subject: Subject, make: Callable[[], Reader[Any]]) -> Channel[Any]:
        owner = subject[0]
        if self._open[owner] >= self._per_viewer:
            raise RateLimited(f"At most {self._per_viewer} subscriptions of one user are open at a time.")
        if self.streams >= self._most:
            raise RateLimited(f"This server has {self._most} subscriptions open, as many as it takes; try again.")
        channel = self._channels.get(subject)
        if channel is None:
            channel = self._channels[subject] = Channel(make())
            self._bus.open_ear(subject, channel)
        channel.streams += 1
        self._open[owner] += 1
        return channel

    def _leave(self, subject: Subject) -> None:
        channel, owner = self._channels[subject], subject[0]
        channel.streams -= 1
        self._open[owner] -= 1
        if not self._open[owner]:
            del self._open[owner]
        if not channel.streams:
            del self._channels[subject]
            self._bus.close_ear(subject)


def _behind(channels: list[Channel[Any]]) -> list[Channel[Any]]:
    """Those whose newest look failed."""
    behind = [channel for channel in channels if channel.failure is not None]
    if behind:
        log.warning("live.behind", channels=len(behind), error=repr(behind[0].failure))
    return behind


async def _wake(channels: list[Channel[Any]]) -> None:
    for place, channel in enumerate(channels):
        if place % WAKES_AT_ONCE == WAKES_AT_ONCE - 1:
            await asyncio.sleep(BREATH_SECONDS)
        channel.wake(None)
