"""Groups of subscribers and sends that wait, without any wire."""

import asyncio

import pytest
from graphql import ExecutionResult

from app.live.events import Event, Kind
from app.live.reader import Batch
from app.transport.connection import Line
from app.transport.fan_out import Group, Subscriber
from app.transport.run_until_blocked import at_once


class Outlet:
    """Remembers what was told, and why there will be no more."""

    def __init__(self, line=None):
        self.failures, self.told, self.line = [], [], line

    def offer(self, told):
        if self.line is not None:
            raise self.line
        self.told.append(told.cursor)

    def failed(self, failure):
        self.failures.append(str(failure))


class Stream:
    """One that has caught up."""

    def join(self, key, make):
        return make()

    def leave(self, key):
        pass

    def close(self):
        pass


class Subscription:
    """Whose events cannot be answered, once `may_fail`."""

    def __init__(self):
        self.may_fail = asyncio.Event()

    async def execute_event(self, event):
        await self.may_fail.wait()
        raise ValueError(event)


class Answered:
    """Whose events can be."""

    async def execute_event(self, event):
        return ExecutionResult({"event": event})


async def test_who_left_while_an_answer_was_made_is_not_told_that_it_failed():
    subscription = Subscription()
    group = Group("key", subscription, None, "", lambda event: event.cursor)
    outlets = [Outlet(), Outlet()]
    gone, stays = [Subscriber(Stream(), group, outlet) for outlet in outlets]
    assert gone._join()
    assert stays._join()
    telling = asyncio.ensure_future(group.hear(Batch([Event(Kind.CAUGHT_UP, "7")], None)))
    await asyncio.sleep(0)
    gone.close()
    subscription.may_fail.set()
    await telling
    assert [outlet.failures for outlet in outlets] == [[], ["7"]]


async def test_a_line_that_is_broken_takes_nothing_from_the_others():
    group = Group("key", Answered(), None, "", lambda event: event.cursor)
    broken, sound = Outlet(ValueError("broken")), Outlet()
    for outlet in (broken, sound):
        assert Subscriber(Stream(), group, outlet)._join()
    for number in ("1", "2"):
        await group.hear(Batch([Event(Kind.CAUGHT_UP, number)], None))
    assert (sound.told, sound.failures) == (["1", "2"], [])
    assert (broken.told, broken.failures) == ([], ["broken"])


@pytest.mark.parametrize("refusal", [OSError, RuntimeError])
async def test_who_cannot_be_sent_anything_any_more_is_gone(refusal):
    """uvicorn raises RuntimeError once it has closed a socket itself, whose pings nobody answered."""

    async def send(_message):
        raise refusal("closed")

    line = Line(None, send)
    await line.put({})
    assert (line.gone, line.busy) == (True, False)


async def test_a_send_that_is_cancelled_has_cleaned_up_by_then():
    done = []

    async def send():
        try:
            await asyncio.Event().wait()
        finally:
            done.append("cleaned up")

    rest = at_once(send())

    async def waits():
        await rest

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["cleaned up"]
