"""One operation of one client, from its request to its log line, over a protocol that sends results one by one."""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any, ClassVar

from graphql_compiled.engine import PreparedOperation, ResponseStream

from app.auth import Viewer
from app.live.subscription import Subscription
from app.telemetry import Request
from app.transport.connection import Suspended, run_until_blocked
from app.transport.fan_out import EncodedEvent, Group, Subscriber, group_key
from app.transport.operations import Operations, encode_result
from app.transport.parameters import Parameters
from app.transport.refusals import log_refused


class OperationTask:
    """Runs an operation in a task while there is work, and in none while it waits for events.

    A subclass sends the results over its protocol. `started` is when the request came, in seconds of `perf_counter`.
    """

    __slots__ = ("_ended", "_operations", "_outcome", "_prepared", "_request", "_started", "_subscriber", "task")
    protocol: ClassVar[str]
    """For the log."""

    def __init__(self, operations: Operations, request: Request, started: float) -> None:
        self._operations, self._request, self._started = operations, request, started
        self._prepared: PreparedOperation | None = None
        self._outcome = "OTHER"  # until the first result
        self._subscriber: Subscriber | None = None
        self._ended = False
        self.task: asyncio.Task[bool] | None = None

    async def send(self, payload: bytes, cursor: str | None = None) -> None:
        """Sends the JSON of one result; `cursor` is that of a live event."""
        raise NotImplementedError

    async def send_complete(self) -> None:
        """Sends that no result will follow."""
        raise NotImplementedError

    async def send_errors(self, errors: list[dict[str, Any]]) -> None:
        """Sends why no result will follow."""
        raise NotImplementedError

    def on_end(self) -> None:
        """The operation has ended and cleaned up."""
        raise NotImplementedError

    async def start(self, parameters: Parameters, viewer: Viewer, **context_values: str | None) -> bool:
        """Sends the result of a query or mutation, or the events up to now; True if further events may follow.

        `context_values` are passed to `Operations.context`.
        """
        operations, request_id = self._operations, self._request.id
        self._prepared = prepared = operations.prepare(parameters, viewer)
        context = operations.context(viewer, self._request, **context_values)
        if prepared.kind != "subscription":
            running = operations.execute(prepared, parameters, context, request_id)
            result = await operations.deadline.run(running)
            self._outcome = result.outcome
            await self.send(result.body)
            return False
        stream = await operations.deadline.run(operations.subscribe(prepared, parameters, context))
        self._outcome = "OK"
        if not isinstance(stream.source, Subscription):
            await self._send_all(stream, context)
            return False
        key = group_key(prepared, parameters, viewer)
        group = Group(key, stream, context, request_id, stream.source.convert)
        self._subscriber = Subscriber(stream.source, group, self)
        return await self._subscriber.catch_up()

    def run(self, work: Coroutine[Any, Any, bool]) -> None:
        """Runs `work` in a task; its result is False if no event will follow."""
        self.task = asyncio.create_task(self._run(work))
        self.task.add_done_callback(partial(self._on_task_done, work))

    def send_event(self, event: EncodedEvent) -> Suspended | None:
        return run_until_blocked(self.send(event.payload, event.cursor))

    def fail(self, failure: Exception) -> None:
        self.run(_raise(failure))

    def cancel(self) -> None:
        """The client wants no further results."""
        if self.task is None or not self.task.cancel():
            self._end()

    async def _send_all(self, stream: ResponseStream, context: Any) -> None:
        async with aclosing(aiter(stream)) as results:
            async for result in results:
                await self.send(encode_result(result, context, self._request.id).body)
                await asyncio.sleep(0)  # neither the source nor a send on a lost connection need ever wait

    async def _run(self, work: Coroutine[Any, Any, bool]) -> bool:
        try:
            follows = await work
            if not follows:
                await self.send_complete()
        except Exception as failure:
            errors = self._operations.errors_of(failure, self._request)
            log_refused(errors)
            self._outcome = errors[0]["extensions"]["code"]
            await self.send_errors(errors)
            return False
        return follows

    def _on_task_done(self, work: Coroutine[Any, Any, bool], task: asyncio.Task[bool]) -> None:
        work.close()  # a task that is cancelled before its first step never starts its coroutine
        if self.task is task:
            self.task = None
        if task.cancelled() or task.exception() or not task.result():
            self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._subscriber is not None:
            self._subscriber.close()
        self._operations.record(self._prepared, self._outcome, self._started, self.protocol)
        self.on_end()


async def _raise(failure: Exception) -> bool:
    raise failure
