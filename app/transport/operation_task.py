"""An operation as one client is told its results, by whatever wire."""

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any

from app.auth import Viewer
from app.live.subscription import Stream
from app.transport.event_operation import Run
from app.transport.fan_out import Group, Subscriber, Told, likeness
from app.transport.operations import Parameters, answer
from app.transport.run_until_blocked import at_once


class Telling:
    """A task while it works, none while it waits for events. A subclass says how a wire tells things."""

    __slots__ = ("_closed", "_run", "_subscriber", "task")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._subscriber: Subscriber | None = None
        self._closed = False
        self.task: asyncio.Task[bool] | None = None

    async def say(self, payload: str, cursor: str | None = None) -> None:
        """The JSON of a result; `cursor` is the place of an event."""
        raise NotImplementedError

    async def say_complete(self) -> None:
        """The last word: there are no more results."""
        raise NotImplementedError

    async def say_failed(self, errors: list[dict[str, Any]]) -> None:
        """The last word: why there are no more."""
        raise NotImplementedError

    def closed(self) -> None:
        """Nothing of it is left."""
        raise NotImplementedError

    def work(self, work: Coroutine[Any, Any, bool]) -> None:
        """Runs it in a task; its result says whether events may follow that need none."""
        self.task = asyncio.create_task(self._work(work))
        self.task.add_done_callback(partial(self._worked, work))

    def offer(self, told: Told) -> Awaitable[None] | None:
        return at_once(self.say(told.payload, told.cursor))

    def failed(self, failure: Exception) -> None:
        self.work(_raise(failure))

    def cancel(self) -> None:
        """Nobody wants it any more."""
        if self.task is None or not self.task.cancel():
            self._close()

    async def start(self, parameters: Parameters, viewer: Viewer, **more: str | None) -> bool:
        """Answers a query or a mutation, or begins to tell events; `more` is for its context."""
        prepared, context = self._run.prepare(parameters, viewer, **more)
        if prepared.kind != "subscription":
            await self.say((await self._run.execute(prepared, parameters, context)).decode())
            return False
        found = await self._run.subscribe(prepared, parameters, context)
        if isinstance(found.source, Stream):
            key = likeness(prepared, parameters, viewer)
            group = Group(key, found, context, self._run.request.id, found.source.show)
            self._subscriber = Subscriber(found.source, group, self)
            return await self._subscriber.catch_up()
        async with aclosing(aiter(found)) as results:
            async for result in results:
                await self.say(answer(result, context, self._run.request.id).body.decode())
                await asyncio.sleep(0)  # neither such a source nor a line that is gone need ever wait
        return False

    async def _work(self, work: Coroutine[Any, Any, bool]) -> bool:
        try:
            waits = await work
            if not waits:
                await self.say_complete()
        except Exception as failure:
            await self.say_failed(self._run.errors(failure))
            return False
        return waits

    def _worked(self, work: Coroutine[Any, Any, bool], task: asyncio.Task[bool]) -> None:
        work.close()  # a task that is cancelled before its first step has not begun it
        if self.task is task:
            self.task = None
        if task.cancelled() or task.exception() or not task.result():
            self._close()

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._subscriber is not None:
            self._subscriber.close()
        self._run.done()
        self.closed()


async def _raise(failure: Exception) -> bool:
    raise failure
