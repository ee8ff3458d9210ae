"""Await what a run left pending: as things come, all that came together in one sweep, until nothing is left.

No Task is made for a future (a loader's), only for coroutines, and none for a coroutine that is alone. All
values of a sweep are completed before anything new is started, so the loads of one level meet in one batch.
A null that has to climb is placed after the sweep: what came with it is still heard.
"""

from __future__ import annotations

import asyncio
from types import CoroutineType
from typing import Any

from graphql import GraphQLError, located_error

from app.execution.infos import keys_of
from app.execution.runtime import Pending, Position, Run


async def settle(run: Run) -> None:
    waiting = _Waiting(run)
    try:
        await waiting.out()
    finally:
        if waiting.pending:
            await waiting.abandon()


class _Waiting:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.loop = asyncio.get_running_loop()
        self.pending: dict[asyncio.Future[Any], list[Pending]] = {}
        self.owned: set[asyncio.Future[Any]] = set()
        self.ready: list[asyncio.Future[Any]] = []
        self.climbing: list[tuple[Position, GraphQLError]] = []
        self.waker: asyncio.Future[None] | None = None

    async def out(self) -> None:
        run = self.run
        while True:
            run.forsake()
            batch, run.pending = run.pending, []
            if len(batch) == 1 and not self.pending and type(batch[0].value) is CoroutineType:
                await self.alone(batch[0])
                continue
            for one in batch:
                self.start(one)
            if not self.pending:
                return
            if not self.ready:
                await self.woken()
            ready, self.ready = self.ready, []
            for future in ready:
                self.take(future)
            self.place_nulls()

    async def alone(self, pending: Pending) -> None:
        try:
            value = await pending.value
            self.complete(pending, value)
        except Exception as error:
            self.failed(pending, error)
        self.place_nulls()

    def start(self, pending: Pending) -> None:
        value = pending.value
        if isinstance(value, asyncio.Future):
            future = value
            if (known := self.pending.get(future)) is not None:
                known.append(pending)
                return
        else:
            future = asyncio.ensure_future(value)
            self.owned.add(future)
        self.pending[future] = [pending]
        if future.done():
            self.ready.append(future)
        else:
            future.add_done_callback(self.wake)

    def wake(self, future: asyncio.Future[Any]) -> None:
        self.ready.append(future)
        if self.waker is not None and not self.waker.done():
            self.waker.set_result(None)

    async def woken(self) -> None:
        self.waker = self.loop.create_future()
        await self.waker

    def take(self, future: asyncio.Future[Any]) -> None:
        self.owned.discard(future)
        pendings = self.pending.pop(future, ())
        if not pendings and not future.cancelled():
            future.exception()  # forgotten: nobody asks for it
        for pending in pendings:
            try:
                self.complete(pending, future.result())
            except Exception as error:
                self.failed(pending, error)

    def complete(self, pending: Pending, value: Any) -> None:
        _, out, key, slot, finish, path = pending
        if key is None:
            finish(value, path)
        elif (result := self.run.settled(value, slot, finish, path)) is not None:
            out[key] = result

    def failed(self, pending: Pending, raw: Exception) -> None:
        slot = pending.slot
        keys = keys_of(pending.path, slot.keys)
        error = located_error(raw, slot.field.nodes, keys)
        position = tuple(keys)
        if slot.bubbles or pending.key is None:
            self.climbing.append((position[: len(position) - slot.climb], error))
        else:
            self.run.note(error, position)

    def place_nulls(self) -> None:
        climbing, self.climbing = self.climbing, []
        for position, error in climbing:
            if not self.run.is_dead(position):
                place_null(self.run, position)
                self.run.note(error, position)
                self.forget(position)

    def forget(self, position: Position) -> None:
        """Cancel what was awaited under a null. Loaders' futures are not ours to cancel."""
        end = len(position)
        for future, pending in list(self.pending.items()):
            left = [one for one in pending if one.position[:end] != position]
            if left or future in self.owned:
                self.pending[future] = left
            else:
                del self.pending[future]
                future.remove_done_callback(self.wake)
            if not left and future in self.owned:
                future.cancel()

    async def abandon(self) -> None:
        """The run itself was cancelled: so is all that it started."""
        for future in self.owned:
            future.cancel()
        await asyncio.gather(*self.owned, return_exceptions=True)


def place_null(run: Run, position: Position) -> None:
    if not position:
        run.data = None
        return
    place: Any = run.data
    for key in position[:-1]:
        place = place[key]
    place[position[-1]] = None
