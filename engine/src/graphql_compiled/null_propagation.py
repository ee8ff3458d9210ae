"""Await what a run left pending: as things come, all that came together in one sweep, until nothing is left.

No Task is made for a future (a loader's), only for coroutines, and none for a coroutine that is alone. All
values of a sweep are completed before anything new is started, so the loads of one level meet in one batch.
A null that has to climb is placed when nothing else is ready, and what was just started has had its first
step: what fails together with it is still heard, as by graphql-core.
"""

from __future__ import annotations

import asyncio
import inspect
from types import CoroutineType
from typing import Any, cast

from graphql import GraphQLError, located_error

from graphql_compiled.resolve_info import keys_of
from graphql_compiled.runtime import Pending, Position, Run, position_of


async def settle(run: Run) -> None:
    waiting = _Waiting(run)
    try:
        await waiting.out()
    finally:
        if waiting.owned:
            await waiting.abandon()


class _Waiting:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.loop = asyncio.get_running_loop()
        self.pending: dict[asyncio.Future[Any], list[Pending]] = {}
        self.owned: dict[asyncio.Future[Any], Pending | None] = {}
        """Our tasks, with what they first waited for; None once it is of no use any more."""
        self.ready: list[asyncio.Future[Any]] = []
        self.climbing: list[tuple[Position, GraphQLError]] = []
        self.fresh = False
        """A task was started that has not had its first step."""
        self.waker: asyncio.Future[None] | None = None

    async def out(self) -> None:
        run = self.run
        while True:
            run.forsake()
            batch = run.pending_since(0)
            if len(batch) == 1 and not self.busy and (is_coroutine(batch[0]) or is_future(batch[0])):
                await (self.chain if is_coroutine(batch[0]) else self.alone)(batch[0])
                continue
            self.start(batch)
            if self.ready:
                ready, self.ready = self.ready, []
                for future in ready:
                    self.take(future)
            elif self.climbing and self.fresh:
                self.fresh = False
                await asyncio.sleep(0)
            elif self.climbing:
                self.place_nulls()
            elif self.busy:
                await self.woken()
            else:
                return

    @property
    def busy(self) -> bool:
        return bool(self.pending or self.owned or self.climbing)

    async def chain(self, pending: Pending | None) -> None:
        """Await a coroutine and, as long as only one more comes of it, that one."""
        run = self.run
        while pending is not None:
            found: list[Pending] = []
            try:
                value = await pending[0]
                mark = len(run.pending)
                try:
                    self.complete(pending, value)
                finally:
                    found = run.pending_since(mark)
            except Exception as error:
                self.failed(pending, error)
            except asyncio.CancelledError as error:
                if is_cancelled():
                    raise
                self.failed(pending, error)
            run.pending += found
            run.forsake()
            found = run.pending_since(0)
            pending = found.pop() if len(found) == 1 and is_coroutine(found[0]) else None
            self.start(found)

    async def alone(self, pending: Pending) -> None:
        """Await a future beside which there is nothing to wait for."""
        try:
            self.complete(pending, await pending[0])
        except Exception as error:
            self.failed(pending, error)
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            self.failed(pending, error)

    def start(self, batch: list[Pending]) -> None:
        futures = self.pending
        for pending in batch:
            value = pending[0]
            if not isinstance(value, asyncio.Future):
                task = self.loop.create_task(self.chain(pending))
                self.owned[task] = pending
                self.fresh = True
                task.add_done_callback(self.wake)
            elif (known := futures.get(value)) is not None:
                known.append(pending)
            else:
                futures[value] = [pending]
                if value.done():
                    self.ready.append(value)
                else:
                    value.add_done_callback(self.wake)

    def wake(self, future: asyncio.Future[Any]) -> None:
        self.ready.append(future)
        if self.waker is not None and not self.waker.done():
            self.waker.set_result(None)

    async def woken(self) -> None:
        self.fresh = False
        self.waker = self.loop.create_future()
        await self.waker

    def take(self, future: asyncio.Future[Any]) -> None:
        if future in self.owned:
            if self.owned.pop(future) is not None:
                future.result()
            return
        pendings = self.pending.pop(future, [])
        try:
            value = future.result()
        except (Exception, asyncio.CancelledError) as error:
            for pending in pendings:
                self.failed(pending, error)
            return
        run = self.run
        common = value is not None and not run.special[type(value)]
        for pending in pendings:
            try:
                _, out, key, _, finish, path = pending
                if common and out is not None and key is not None:
                    out[key] = finish(run, value, path)
                else:
                    self.complete(pending, value)
            except Exception as error:
                self.failed(pending, error)

    def complete(self, pending: Pending, value: Any) -> None:
        _, out, key, slot, finish, path = pending
        if key is None:
            finish(self.run, value, path)
            return
        result = self.run.settled(value, slot, finish, path)
        if result is not None and out is not None:
            out[key] = result

    def failed(self, pending: Pending, raw: BaseException) -> None:
        _, _, key, slot, _, path = pending
        keys = keys_of(path, slot.keys)
        error = located_error(cast("Exception", raw), slot.field.nodes, keys)
        position = tuple(keys)
        if slot.bubbles or key is None:
            self.climbing.append((position[: len(position) - slot.climb], error))
        else:
            self.run.note(error, position)

    def place_nulls(self) -> None:
        """The nulls that climbed least come first: they would not have waited for the others."""
        run = self.run
        climbing, self.climbing = self.climbing, []
        for position, error in sorted(climbing, key=lambda one: -len(one[0])):
            if not run.is_dead(position):
                run.place(None, position)
                run.note(error, position)
        self.forget()

    def forget(self) -> None:
        """Cancel what is awaited under a null. Loaders' futures are not ours to cancel."""
        is_dead = self.run.is_dead
        for future, pending in list(self.pending.items()):
            pending[:] = [one for one in pending if not is_dead(position_of(one))]
            if not pending:
                del self.pending[future]
                future.remove_done_callback(self.wake)
                future.add_done_callback(look_at)
        for future, first in self.owned.items():
            if first is not None and is_dead(position_of(first)):
                self.cancel(future)

    def cancel(self, future: asyncio.Future[Any]) -> None:
        first, self.owned[future] = self.owned[future], None
        future.cancel()
        if first is not None and inspect.iscoroutine(first[0]) and never_started(first[0]):
            first[0].close()

    async def abandon(self) -> None:
        """The run itself was cancelled: so is all that it started."""
        for future in self.owned:
            self.cancel(future)
        await asyncio.gather(*self.owned, return_exceptions=True)


def is_coroutine(pending: Pending) -> bool:
    return type(pending[0]) is CoroutineType


def is_future(pending: Pending) -> bool:
    return type(pending[0]) is asyncio.Future


def is_cancelled() -> bool:
    """Whether it is this task that shall end, and not a future it waits for that was cancelled by others."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def look_at(future: asyncio.Future[Any]) -> None:
    """A failure that nobody wants to know is not to be reported as lost."""
    if not future.cancelled():
        future.exception()


def never_started(coroutine: Any) -> bool:
    return inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
