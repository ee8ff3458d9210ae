"""Turns: of the tasks of an event loop that use one name, one runs at a time, in the order in which they came."""

import asyncio
from weakref import WeakKeyDictionary, WeakValueDictionary

Locks = WeakValueDictionary[str, asyncio.Lock]  # a lock stays as long as a task has it or waits for it


class Turns:
    """The locks of names, for any number of event loops."""

    def __init__(self) -> None:
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Locks] = WeakKeyDictionary()

    def of(self, name: str) -> asyncio.Lock:
        """The lock of a name in the running event loop."""
        locks = self._by_loop.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        return locks.setdefault(name, asyncio.Lock())
