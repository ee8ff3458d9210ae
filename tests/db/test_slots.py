"""Slots: bounded in number and in waiting time, handed on in order, and never lost."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.db.access.slots import Slots
from app.errors import Unavailable

NEVER, IMMEDIATE = 600, 0
KINDS = st.sampled_from(["ask", "give back", "cancel", "go on", "go on"])
STEPS = st.lists(st.tuples(KINDS, st.integers(0, 5)), min_size=10, max_size=60)


class Users:
    """Tasks that ask for a slot one after the other, and hold it until their event is set."""

    def __init__(self, size, timeout):
        self.size, self.slots = size, Slots(size, timeout)
        self.tasks, self.ends, self.held, self.granted, self.cancelled = [], [], [], [], set()

    async def play(self, steps):
        for kind, number in steps:
            match kind:
                case "ask":
                    self.ends.append(asyncio.Event())
                    self.tasks.append(asyncio.create_task(self.use(len(self.tasks))))
                case "give back" if self.tasks:
                    self.ends[number % len(self.tasks)].set()
                case "cancel" if self.tasks:
                    self.cancelled.add(number % len(self.tasks))
                    self.tasks[number % len(self.tasks)].cancel()
                case "go on":
                    await asyncio.sleep(0)
        for end in self.ends:
            end.set()
        return await asyncio.gather(*self.tasks, return_exceptions=True)

    async def use(self, number):
        await self.slots.acquire()
        self.held.append(number)
        self.granted.append(number)
        try:
            assert len(self.held) <= self.size
            await self.ends[number].wait()
        finally:
            self.held.remove(number)
            self.slots.release()


@settings(max_examples=20 * settings().max_examples)
@given(st.integers(1, 2), st.sampled_from([NEVER, IMMEDIATE]), STEPS)
def test_slots_are_granted_in_order_and_none_is_lost(size, timeout, steps):
    users = Users(size, timeout)
    results = asyncio.run(users.play(steps))
    if size == 1:  # of several, a task that finds one free goes on before one that has been handed another
        assert users.granted == sorted(users.granted)
    for number, result in enumerate(results):
        if isinstance(result, Unavailable):
            assert timeout == IMMEDIATE
        elif number not in users.cancelled:
            assert (result, number in users.granted) == (None, True)
        else:
            assert result is None or isinstance(result, asyncio.CancelledError)
    assert users.slots.waiting == 0
    assert sum(users.slots.try_acquire() for _ in range(size + 1)) == size


async def test_each_wait_has_its_own_end_and_one_that_got_a_slot_has_none():
    slots = Slots(1, 0.5)
    assert slots.try_acquire()
    first, second = asyncio.create_task(slots.acquire()), asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    assert slots.waiting == 2
    slots.release()
    await first
    late = asyncio.create_task(slots.acquire())
    for refused in (second, late):
        with pytest.raises(Unavailable, match="connections are busy"):
            await refused
    assert slots.waiting == 0
    assert not slots.try_acquire()
    slots.release()
    assert slots.try_acquire()
