"""Await the pending values of an execution, complete them as they become ready, and propagate nulls.

A future gets no task; a coroutine, and a batch (a loader's) that is not being read, gets one unless nothing else is
pending. All ready values are completed before new work starts, so the loads of one level form one batch. Null
propagation runs after all ready values are complete and after each task that has just started has made its first step:
errors that occur together are all recorded, as in graphql-core.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from types import CoroutineType
from typing import Any, cast

from graphql import GraphQLError, located_error

from graphql_compiled.batch import Batch, BatchValue, reading
from graphql_compiled.response_path import ResponsePath, response_path
from graphql_compiled.runtime import ExecutionState, PendingValue, pending_path


def await_pending(state: ExecutionState) -> Coroutine[Any, Any, None]:
    """Returns when nothing is pending any more."""
    return _Scheduler(state).run()


class _Scheduler:
    def __init__(self, state: ExecutionState) -> None:
        self.state = state
        self.loop = asyncio.get_running_loop()
        self.futures: dict[asyncio.Future[Any], list[PendingValue]] = {}
        """What waits for a future, or for any value of a batch, by that of the batch."""
        self.unread: list[Batch] = []
        """The batches among them that nothing has begun to read."""
        self.tasks: dict[asyncio.Future[Any], PendingValue] = {}
        """The tasks started here, each with the pending value that it began with."""
        self.abandoned: dict[asyncio.Future[Any], PendingValue] = {}
        """The tasks below a null, for which nothing waits."""
        self.ready: list[asyncio.Future[Any]] = []
        self.propagating: list[tuple[ResponsePath, GraphQLError]] = []
        """Errors whose nulls propagate, each with the position that becomes null."""
        self.has_unstarted_task = False
        self.wake_up: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Each coroutine of this module costs a call at every resumption: one that only awaits another is left out."""
        state, pending = self.state, self.state.pending
        try:
            while True:
                if state.nulled_paths:
                    state.abandon_nulled()
                busy = self.futures or self.tasks or self.propagating
                if len(pending) == 1 and not busy and (await_one := self.way_to_await(pending[0])):
                    await await_one(pending.pop())
                    continue
                if pending:
                    self.start(state.take_pending_since(0))
                if self.ready:
                    ready, self.ready = self.ready, []
                    for future in ready:
                        self.complete_future(future)
                elif self.propagating:
                    await self.propagate()
                elif self.futures or self.tasks:
                    batch = self.begin_reading() if self.unread else None
                    await (self.wait() if batch is None else self.read(batch))
                else:
                    return
        finally:
            if self.tasks or self.abandoned:
                await self.cancel_all()

    async def propagate(self) -> None:
        """Propagates nulls, once each task that has just started has made its first step."""
        if self.has_unstarted_task:
            self.has_unstarted_task = False
            await asyncio.sleep(0)
        else:
            self.propagate_nulls()

    def way_to_await(self, pending: PendingValue) -> Callable[[PendingValue], Awaitable[None]] | None:
        """How a value is awaited if nothing else is pending; None for an awaitable of another kind."""
        kind = type(pending[0])
        if kind is CoroutineType:
            return self.await_chain
        return self.await_future if kind is BatchValue or kind is asyncio.Future else None

    async def await_chain(self, pending: PendingValue | None) -> None:
        """Await a coroutine and, as long as its value leads to exactly one more coroutine, that one."""
        state = self.state
        while pending is not None:
            found: list[PendingValue] = []
            try:
                value = await pending[0]
                count = len(state.pending)
                try:
                    self.complete(pending, value)
                finally:
                    if len(state.pending) > count:
                        found = state.take_pending_since(count)
            except Exception as error:
                self.handle_error(pending, error)
            except asyncio.CancelledError as error:
                if _is_cancelled():
                    raise
                self.handle_error(pending, error)
            if found or state.pending:
                state.pending += found
                state.abandon_nulled()
                found = state.take_pending_since(0)
            pending = found.pop() if len(found) == 1 and type(found[0][0]) is CoroutineType else None
            if found:
                self.start(found)

    async def await_future(self, pending: PendingValue) -> None:
        """Await a future, or a value of a batch, that is the only pending value."""
        value = pending[0]
        try:
            if type(value) is BatchValue:
                await reading(value.batch)
                self.complete(pending, value.result())
            else:
                self.complete(pending, await value)
        except Exception as error:
            self.handle_error(pending, error)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            self.handle_error(pending, error)

    def start(self, batch: list[PendingValue]) -> None:
        futures = self.futures
        for pending in batch:
            value = pending[0]
            if type(value) is BatchValue:
                value = value.batch
            if not isinstance(value, asyncio.Future):
                task = self.loop.create_task(self.await_chain(pending))
                self.tasks[task] = pending
                self.has_unstarted_task = True
                task.add_done_callback(self.on_done)
            elif (waiting := futures.get(value)) is not None:
                waiting.append(pending)
            else:
                futures[value] = [pending]
                if value.done():
                    self.ready.append(value)
                elif isinstance(value, Batch):
                    self.unread.append(value)
                else:
                    value.add_done_callback(self.on_done)

    def on_done(self, future: asyncio.Future[Any]) -> None:
        self.ready.append(future)
        if self.wake_up is not None and not self.wake_up.done():
            self.wake_up.set_result(None)

    def begin_reading(self) -> Batch | None:
        """Begin to read batches, each in a task. A batch that is all that is pending is returned instead."""
        unread, self.unread = [batch for batch in self.unread if batch in self.futures], []
        if len(self.futures) == len(unread) == 1 and not self.tasks:
            return unread[0]
        for batch in unread:
            batch.add_done_callback(self.on_done)
            batch.start()
        return None

    async def read(self, batch: Batch) -> None:
        """Read a batch that is all that is pending."""
        try:
            await reading(batch)
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            batch.cancel()
        self.ready.append(batch)

    async def wait(self) -> None:
        self.has_unstarted_task = False
        self.wake_up = self.loop.create_future()
        await self.wake_up

    def complete_future(self, future: asyncio.Future[Any]) -> None:
        waiting = self.futures.pop(future, None)
        if waiting is None:
            self.end_task(future)
            return
        try:
            value = future.result()
        except (Exception, asyncio.CancelledError) as error:
            for pending in waiting:
                self.handle_error(pending, error)
            return
        if type(waiting[0][0]) is BatchValue:
            self.complete_batch(waiting)
            return
        for pending in waiting:
            try:
                self.complete(pending, value)
            except Exception as error:
                self.handle_error(pending, error)

    def end_task(self, task: asyncio.Future[Any]) -> None:
        """Take a task from those that are waited for, or that are abandoned."""
        if self.tasks.pop(task, None) is not None:
            task.result()
        elif self.abandoned.pop(task, None) is not None:
            _retrieve_exception(task)

    def complete_batch(self, waiting: list[PendingValue]) -> None:
        """Complete all that waits for one batch, and what many positions have in common once."""
        state = self.state
        slow_path, errors = state.slow_path_types, state.errors
        completed: dict[tuple[BatchValue[Any], Any], Any] = {}
        for pending in waiting:
            found, target, key, node, complete, path = pending
            if found.error is not None:
                self.handle_error(pending, found.error)
                continue
            try:
                value = found.value
                if value is None or target is None or key is None or slow_path[type(value)]:
                    self.complete(pending, value)
                elif not node.same_everywhere:
                    target[key] = complete(state, value, path)
                elif (result := completed.get((found, complete))) is not None:
                    target[key] = result
                else:
                    before = len(state.pending), len(errors)
                    target[key] = result = complete(state, value, path)
                    if before == (len(state.pending), len(errors)):
                        completed[found, complete] = result
            except Exception as error:
                self.handle_error(pending, error)

    def complete(self, pending: PendingValue, value: Any) -> None:
        _, target, key, node, complete, path = pending
        if key is None:
            complete(self.state, value, path)
            return
        result = self.state.complete_resolved(value, node, complete, path)
        if result is not None and target is not None:
            target[key] = result

    def handle_error(self, pending: PendingValue, raw_error: BaseException) -> None:
        _, _, key, node, _, path = pending
        keys = response_path(path, node.keys)
        error = located_error(cast("Exception", raw_error), node.field.nodes, keys)
        position = tuple(keys)
        if self.state.is_nulled(position):
            return  # of an abandoned task
        if node.propagates_null or key is None:
            self.propagating.append((position[: len(position) - node.propagation_depth], error))
        else:
            self.state.add_error(error, position)

    def propagate_nulls(self) -> None:
        """Null the deepest positions first: graphql-core would not have waited for the others."""
        state = self.state
        propagating, self.propagating = self.propagating, []
        for path, error in sorted(propagating, key=lambda one: -len(one[0])):
            if not state.is_nulled(path):
                state.set_value(None, path)
                state.add_error(error, path)
        self.abandon_nulled()

    def abandon_nulled(self) -> None:
        """Wait for nothing below a null.

        Neither futures nor tasks that have begun are cancelled: a task cancels what it awaits, and that may be the
        future of a loader, for which other fields wait too. What is left of the tasks is cancelled at the end.
        """
        is_nulled = self.state.is_nulled
        for future, waiting in list(self.futures.items()):
            waiting[:] = [pending for pending in waiting if not is_nulled(pending_path(pending))]
            if not waiting:
                del self.futures[future]
                future.remove_done_callback(self.on_done)
                future.add_done_callback(_retrieve_exception)
        for task, first in list(self.tasks.items()):
            if is_nulled(pending_path(first)):
                self.abandoned[task] = self.tasks.pop(task)
                if _is_unstarted(first):
                    _cancel(task, first)

    async def cancel_all(self) -> None:
        """Cancel every task that is left: below a null, or because the execution itself was cancelled."""
        left = self.tasks | self.abandoned
        for task, first in left.items():
            _cancel(task, first)
        await asyncio.gather(*left, return_exceptions=True)


def _is_cancelled() -> bool:
    """True if the current task is being cancelled, and not only a future that it awaits."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _retrieve_exception(future: asyncio.Future[Any]) -> None:
    """Prevents asyncio's report of an exception that was never retrieved."""
    if not future.cancelled():
        future.exception()


def _cancel(task: asyncio.Future[Any], first: PendingValue) -> None:
    task.cancel()
    if _is_unstarted(first):
        first[0].close()


def _is_unstarted(pending: PendingValue) -> bool:
    value = pending[0]
    return inspect.iscoroutine(value) and inspect.getcoroutinestate(value) == inspect.CORO_CREATED
