"""Opens the subscriptions of one process on shared channels, limits their number, and polls beneath the bus."""

import asyncio
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Any

from app.db.access.database import Database
from app.db.access.transaction import Viewer
from app.errors import RateLimited
from app.live.bus import OWNER_WIDE, Bus, Subject
from app.live.channel import Channel
from app.live.cursors import ViewerCursor
from app.live.reader import Reader
from app.live.retrying import RETRY_SECONDS
from app.live.session_reader import SessionReader
from app.live.subscription import Convert, Subscription
from app.live.tuning import LiveTuning
from app.live.viewer_reader import ViewerReader, current_cursor
from app.structured_log import get_logger

log = get_logger("colloquy.live")
TICK_SECONDS = 0.25
NOTIFY_CHUNK, NOTIFY_PAUSE_SECONDS = 50, 0.1  # a poll of thousands of channels must not hold up requests


class Hub:
    """The channels of one process: rows come from the database, notifications from the bus.

    `tombstone_seconds` is how long tombstones are kept; None is forever. `max_per_owner` and `max_subscriptions`
    limit open subscriptions.
    """

    def __init__(
        self,
        db: Database,
        bus: Bus,
        tuning: LiveTuning,
        *,
        tombstone_seconds: float | None,
        max_per_owner: int,
        max_subscriptions: int,
        make_channel: Callable[[Subject, Reader[Any]], Channel[Any]] = lambda _, reader: Channel(reader),
    ) -> None:
        self._db, self._bus, self._tuning = db, bus, tuning
        self._make_channel = make_channel
        self._tombstone_seconds = tombstone_seconds
        self._max_per_owner, self._max_subscriptions = max_per_owner, max_subscriptions
        self._channels: dict[Subject, Channel[Any]] = {}
        self._open_by_owner: Counter[str] = Counter()

    @property
    def subscriptions(self) -> int:
        """How many are open."""
        return self._open_by_owner.total()

    def session_events(
        self, viewer: Viewer, session_id: str, convert: Convert, after: str | None, follow: bool
    ) -> Subscription[Any]:
        """The events of a session after a cursor, or from now on; without `follow` they end with CaughtUp.

        Its first read raises Absent if the session does not exist and was not erased after the cursor.
        """
        subject = viewer.subject, session_id
        return self._subscription(
            subject,
            lambda: SessionReader(self._db, viewer, session_id, self._tuning.batch_size),
            convert,
            after,
            follow,
        )

    def viewer_events(self, viewer: Viewer, convert: Convert, after: str | None, follow: bool) -> Subscription[Any]:
        """The events of the viewer's sessions, tasks, approvals and live records, as `session_events`."""
        subject = viewer.subject, OWNER_WIDE
        return self._subscription(
            subject,
            lambda: ViewerReader(self._db, viewer, self._tombstone_seconds, self._tuning.batch_size),
            convert,
            after,
            follow,
        )

    async def viewer_cursor(self, viewer: Viewer) -> ViewerCursor:
        """The cursor after all of the viewer's changes up to now."""
        return await current_cursor(self._db, viewer)

    async def poll(self) -> None:
        """Notifies all channels now and then, more often while the bus is down; runs until it is cancelled."""
        polled = retried = monotonic()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            channels, now = list(self._channels.values()), monotonic()
            tuning = self._tuning
            if now - polled >= (tuning.poll_seconds if self._bus.healthy else tuning.degraded_poll_seconds):
                polled = now
                await _notify(channels)
            elif now - retried >= RETRY_SECONDS:
                retried = now
                await _notify(_failed(channels))

    def _subscription(
        self, subject: Subject, make: Callable[[], Reader[Any]], convert: Convert, after: str | None, follow: bool
    ) -> Subscription[Any]:
        return Subscription(lambda: self._open(subject, make), lambda: self._close(subject), convert, after, follow)

    def _open(self, subject: Subject, make: Callable[[], Reader[Any]]) -> Channel[Any]:
        owner = subject[0]
        if self._open_by_owner[owner] >= self._max_per_owner:
            raise RateLimited(f"At most {self._max_per_owner} subscriptions of one user are open at a time.")
        if self.subscriptions >= self._max_subscriptions:
            raise RateLimited(f"This server's limit of {self._max_subscriptions} subscriptions is reached; try again.")
        channel = self._channels.get(subject)
        if channel is None:
            channel = self._channels[subject] = self._make_channel(subject, make())
            self._bus.add_listener(subject, channel)
        channel.subscriptions += 1
        self._open_by_owner[owner] += 1
        return channel

    def _close(self, subject: Subject) -> None:
        channel, owner = self._channels[subject], subject[0]
        channel.subscriptions -= 1
        self._open_by_owner[owner] -= 1
        if not self._open_by_owner[owner]:
            del self._open_by_owner[owner]
        if not channel.subscriptions:
            del self._channels[subject]
            self._bus.remove_listener(subject)


def _failed(channels: list[Channel[Any]]) -> list[Channel[Any]]:
    """The channels whose newest read failed."""
    failed = [channel for channel in channels if channel.failure is not None]
    if failed:
        log.warning("live.reads_failed", channels=len(failed), error=repr(failed[0].failure))
    return failed


async def _notify(channels: list[Channel[Any]]) -> None:
    for index, channel in enumerate(channels):
        if index % NOTIFY_CHUNK == NOTIFY_CHUNK - 1:
            await asyncio.sleep(NOTIFY_PAUSE_SECONDS)
        channel.notify(None)
