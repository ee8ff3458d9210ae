"""Group: members leave while events are encoded, and one member's broken connection affects no other."""

import asyncio

from graphql import ExecutionResult

from app.live.events import Event, Kind
from app.live.reader import Batch
from app.transport.fan_out import Group, Subscriber


class Sink:
    """Keeps the cursors of its events and its failures; raises `broken` instead, if there is one."""

    def __init__(self, broken=None):
        self.failures, self.cursors, self.broken = [], [], broken

    def send_event(self, event):
        if self.broken is not None:
            raise self.broken
        self.cursors.append(event.cursor)

    def fail(self, failure):
        self.failures.append(str(failure))


class CaughtUp:
    """A subscription of a channel on which others listen by key; it catches up at once."""

    ended = False

    def __init__(self, listeners=None):
        self.listeners = {} if listeners is None else listeners

    async def catch_up(self):
        yield [Event(Kind.CAUGHT_UP, "7")]

    def listener(self, key):
        return self.listeners.get(key)

    def join(self, key, make):
        return self.listeners.setdefault(key, make())

    def leave(self, key):
        pass

    def close(self):
        pass


class FailingStream:
    """Raises for every event, once `may_fail` is set."""

    def __init__(self):
        self.may_fail = asyncio.Event()

    async def execute_event(self, event):
        await self.may_fail.wait()
        raise ValueError(event)


class EchoStream:
    """Its results are its events."""

    executed = 0

    async def execute_event(self, event):
        self.executed += 1
        return ExecutionResult({"event": event})


async def test_a_member_that_left_during_encoding_receives_no_failure():
    stream = FailingStream()
    group = Group("key", stream, None, "", lambda event: event.cursor)
    sinks = [Sink(), Sink()]
    leaving, staying = [Subscriber(CaughtUp(), group, sink) for sink in sinks]
    assert leaving._join()
    assert staying._join()
    delivery = asyncio.ensure_future(group.on_batch(Batch([Event(Kind.CAUGHT_UP, "7")], None)))
    await asyncio.sleep(0)
    leaving.close()
    stream.may_fail.set()
    await delivery
    assert [sink.failures for sink in sinks] == [[], ["7"]]


async def test_a_broken_connection_costs_the_other_members_nothing():
    group = Group("key", EchoStream(), None, "", lambda event: event.cursor)
    broken, sound = Sink(ValueError("broken")), Sink()
    for sink in (broken, sound):
        assert Subscriber(CaughtUp(), group, sink)._join()
    for cursor in ("1", "2"):
        await group.on_batch(Batch([Event(Kind.CAUGHT_UP, cursor)], None))
    assert (sound.cursors, sound.failures) == (["1", "2"], [])
    assert (broken.cursors, broken.failures) == ([], ["broken"])


async def test_subscribers_that_catch_up_at_one_cursor_share_the_encoding_of_caught_up():
    listeners, sinks = {}, [Sink() for _ in range(5)]
    streams = [EchoStream() for _ in sinks]
    for stream, sink in zip(streams, sinks, strict=True):
        group = Group("key", stream, None, "", lambda event: event.cursor)
        assert await Subscriber(CaughtUp(listeners), group, sink).catch_up()
    assert [sink.cursors for sink in sinks] == [["7"]] * 5
    assert sum(stream.executed for stream in streams) == 2  # without the others, and for them
