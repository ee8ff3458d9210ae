"""A channel whose listeners come and go: whoever joins it is told all that comes after the place they are at."""

import asyncio
from dataclasses import dataclass

from app.live.channel import Channel
from app.live.events import Event, Kind
from app.live.reader import Batch


@dataclass(frozen=True)
class At:
    """After so many changes."""

    number: int

    @property
    def cursor(self):
        return str(self.number)

    def meets(self, other):
        return self == other


class Changes:
    """Reads how many changes there were, once `may_read`."""

    pause = 0.0

    def __init__(self):
        self.newest = 0
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def begin(self, _after):
        return At(self.newest), None

    async def read(self, place):
        await self.may_read.wait()
        await asyncio.sleep(0)
        events = [Event(Kind.TASK_CHANGED, str(n)) for n in range(place.number + 1, self.newest + 1)]
        return Batch(events, At(self.newest))

    async def complete(self, place):
        return Batch([], place)

    def has_told(self, place, number):
        return number <= place.number


class Ear:
    """Remembers what it heard."""

    def __init__(self):
        self.heard = []

    async def hear(self, batch):
        self.heard += [event.cursor for event in batch.events]


async def change(channel):
    channel.reader.newest += 1
    channel.wake(channel.reader.newest)


async def quiet(channel):
    async with asyncio.timeout(10):
        while channel._looking is not None:
            await asyncio.sleep(0)


async def test_who_joins_after_another_has_left_is_told_what_that_one_was_told_already():
    channel = Channel(Changes())
    gone = channel.join("gone", Ear, At(0))
    await change(channel)
    await quiet(channel)
    channel.leave("gone")
    late = channel.join("late", Ear, At(0))
    await quiet(channel)
    assert (gone.heard, late.heard) == (["1"], ["1"])


async def test_who_joins_while_nobody_is_left_to_hear_what_is_being_read_is_told_of_it():
    channel = Channel(Changes())
    channel.join("gone", Ear, At(0))
    channel.reader.may_read.clear()
    await change(channel)
    await asyncio.sleep(0)
    channel.leave("gone")
    channel.reader.may_read.set()
    await quiet(channel)
    late = channel.join("late", Ear, At(0))
    await quiet(channel)
    assert late.heard == ["1"]


async def test_a_late_wake_up_is_not_taken_for_told_because_somebody_else_was_told():
    channel = Channel(Changes())
    channel.join("gone", Ear, At(0))
    await change(channel)
    await quiet(channel)
    channel.leave("gone")
    channel.wake(1)
    late = channel.join("late", Ear, At(0))
    await quiet(channel)
    assert late.heard == ["1"]


async def test_a_channel_that_is_woken_without_end_holds_nobody_up_who_wants_to_join():
    channel = Channel(Changes())

    class Busy(Ear):
        async def hear(self, batch):
            await super().hear(batch)
            await change(channel)

    busy = channel.join("busy", Busy, At(0))
    await change(channel)
    async with asyncio.timeout(10):
        await channel.look()
    assert busy.heard
    channel.leave("busy")
    await quiet(channel)


async def test_a_look_that_fails_holds_nobody_up_either():
    channel = Channel(Changes())
    ear = channel.join("ear", Ear, At(0))
    channel.reader.read = None
    async with asyncio.timeout(10):
        await channel.look()
    assert channel.failure is not None
    del channel.reader.read
    await change(channel)
    await quiet(channel)
    assert (channel.failure, ear.heard) == (None, ["1"])
