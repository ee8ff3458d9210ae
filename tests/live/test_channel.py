"""Channel: listeners come and go, and each receives every change after the position where it joined."""

import asyncio
from dataclasses import dataclass
from typing import Any

from app.live.channel import Channel
from app.live.events import Event, Kind
from app.live.reader import Batch, Start


@dataclass(frozen=True)
class Count:
    """After so many changes."""

    number: int

    @property
    def cursor(self):
        return str(self.number)

    def can_join(self, other):
        return self == other


class CountReader:
    """Reads how many changes there were, once `may_read` is set."""

    min_interval = 0.0

    def __init__(self):
        self.newest = 0
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def start(self, _after):
        return Start(Count(self.newest))

    async def read(self, position):
        await self.may_read.wait()
        await asyncio.sleep(0)
        events = [Event(Kind.TASK_CHANGED, str(n)) for n in range(position.number + 1, self.newest + 1)]
        return Batch(events, Count(self.newest))

    async def finish_replay(self, position):
        return Batch([], position)

    def has_delivered(self, position, revision):
        return revision <= position.number


class Recorder:
    """Keeps the cursors of the events that it receives."""

    def __init__(self):
        self.cursors = []

    async def on_batch(self, batch):
        self.cursors += [event.cursor for event in batch.events]


async def change(channel):
    channel.reader.newest += 1
    channel.notify(channel.reader.newest)


async def idle(channel):
    """Returns once the channel does not read."""
    async with asyncio.timeout(10):
        while channel._read_task is not None:
            await asyncio.sleep(0)


async def test_a_newcomer_receives_what_a_departed_listener_has_consumed():
    channel = Channel(CountReader())
    departed = channel.join("departed", Recorder, Count(0))
    await change(channel)
    await idle(channel)
    channel.leave("departed")
    newcomer = channel.join("newcomer", Recorder, Count(0))
    await idle(channel)
    assert (departed.cursors, newcomer.cursors) == (["1"], ["1"])


async def test_a_newcomer_receives_what_was_read_after_the_last_listener_left():
    reader = CountReader()
    channel = Channel(reader)
    channel.join("departed", Recorder, Count(0))
    reader.may_read.clear()
    await change(channel)
    await asyncio.sleep(0)
    channel.leave("departed")
    reader.may_read.set()
    await idle(channel)
    newcomer = channel.join("newcomer", Recorder, Count(0))
    await idle(channel)
    assert newcomer.cursors == ["1"]


async def test_a_late_notification_does_not_count_as_delivered_to_a_newcomer():
    channel = Channel(CountReader())
    channel.join("departed", Recorder, Count(0))
    await change(channel)
    await idle(channel)
    channel.leave("departed")
    channel.notify(1)
    newcomer = channel.join("newcomer", Recorder, Count(0))
    await idle(channel)
    assert newcomer.cursors == ["1"]


async def test_waiting_for_a_read_ends_although_notifications_never_stop():
    channel = Channel(CountReader())

    class Endless(Recorder):
        async def on_batch(self, batch):
            await super().on_batch(batch)
            await change(channel)

    endless = channel.join("endless", Endless, Count(0))
    await change(channel)
    async with asyncio.timeout(10):
        await channel.wait_for_read()
    assert endless.cursors
    channel.leave("endless")
    await idle(channel)


async def test_waiting_for_a_read_ends_although_the_read_fails():
    reader: Any = CountReader()
    channel = Channel(reader)
    recorder = channel.join("recorder", Recorder, Count(0))
    reader.read = None
    async with asyncio.timeout(10):
        await channel.wait_for_read()
    assert channel.failure is not None
    del reader.read
    await change(channel)
    await idle(channel)
    assert (channel.failure, recorder.cursors) == (None, ["1"])
