"""GraphQL over server-sent events, distinct connections mode
(https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md).

What is no GraphQL request of somebody known is refused as HTTP; all else is told in the stream, its errors too. Each
event of a subscription has its cursor for `id`, and `Last-Event-ID` stands for the argument `after`, so that the same
request sent again goes on where it was. A stream that ends without `complete` (the server stops, the token has
expired) is to be asked for again.
"""

import asyncio
from collections.abc import Awaitable
from time import monotonic, time
from typing import Any

from graphql_compiled.engine import RequestError
from starlette.types import Receive, Scope, Send

from app.auth import Viewer, bearer
from app.errors import Refused
from app.telemetry import begin
from app.transport import json_codec
from app.transport.connection import Line
from app.transport.event_operation import Run
from app.transport.media_types import RESPONSE, preferred
from app.transport.operation_task import Telling
from app.transport.operations import Operations, Parameters, header
from app.transport.requests import Declined, Disconnected, parameters_of
from app.transport.responses import PRIVATE, refusal
from app.transport.run_until_blocked import at_once

EVENTS = "text/event-stream"
COMPLETE = "event: complete\ndata:\n\n"
BEAT = ":\n\n"
RECHECK = 3_600.0  # seconds: timers do not take every delay, and a token may be good for ages
OPENED = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"connection", b"close"),  # so that what a client never reads can be dropped with the connection
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
    *PRIVATE,
]


class EventStreamEndpoint:
    """The ASGI application of one URL's event streams.

    `max_body` is in bytes. Every `beat` seconds a comment keeps the connection from looking idle; `send_timeout` is
    how long a client may leave an event unread (seconds, one beat late at most).
    """

    def __init__(
        self,
        operations: Operations,
        *,
        max_body: int = 8 * 1024 * 1024,
        beat: float = 12.0,
        send_timeout: float = 30.0,
    ) -> None:
        self.operations = operations
        self.send_timeout = send_timeout
        self._max_body, self._beat = max_body, beat
        self._open: set[_EventStream] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._leaving = False

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._open)

    def leave(self) -> None:
        """End all streams, and those to come: a server that stops would wait for them."""
        self._leaving = True
        for stream in list(self._open):
            stream.leave()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in events if it is one of GraphQL."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        run = Run(self.operations, begin(header(headers, b"traceparent")), "sse")
        try:
            viewer, parameters = await self.operations.deadline.run(self._asked(scope, headers, receive))
        except Disconnected:
            return
        except Exception as failure:
            reply = refusal(failure, RESPONSE, run.request)
            await reply.send(RESPONSE, run.request, send)
            run.refused(reply.outcome)
            return
        given = {"idempotency_key": b"idempotency-key", "resume_after": b"last-event-id"}
        more = {name: header(headers, key) or None for name, key in given.items()}
        await self._serve(_EventStream(self, run, viewer, receive, send), parameters, more)

    async def _asked(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> tuple[Viewer, Parameters]:
        method = scope["method"]
        if method not in ("GET", "POST"):
            raise Declined(405, "A stream is asked for by POST, or by GET.", (b"allow", b"GET, POST"))
        if preferred(headers.get(b"accept", b"*/*"), (EVENTS,)) is None:
            raise Declined(406, f"This URL answers in {EVENTS}.")
        viewer = await self.operations.viewer(bearer(header(headers, b"authorization")))
        parameters = await parameters_of(scope, headers, receive, self._max_body)
        if method == "GET" and self._writes(viewer, parameters):
            raise Declined(405, "A mutation is sent by POST.", (b"allow", b"POST"))
        return viewer, parameters

    def _writes(self, viewer: Viewer, parameters: Parameters) -> bool:
        try:
            return self.operations.prepare(parameters, viewer).kind == "mutation"
        except (RequestError, Refused):  # told in the stream
            return False

    async def _serve(self, stream: "_EventStream", parameters: Parameters, more: dict[str, str | None]) -> None:
        self._open.add(stream)
        self._watch = self._watch or self._later()
        try:
            if self._leaving:
                stream.end()
            await stream.serve(parameters, more)
        finally:
            self._open.discard(stream)

    def _later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._beat, self._sweep)

    def _sweep(self) -> None:
        """One timer for all streams: cuts off who does not read, and beats for the others."""
        before = monotonic() - self.send_timeout
        for stream in list(self._open):
            if stream.line.stuck_since < before:
                stream.cut()
            else:
                stream.beat()
        self._watch = self._later() if self._open else None


class _EventStream(Telling):
    """One connection: a task that waits for its end, and another while there is something to work on."""

    def __init__(self, endpoint: EventStreamEndpoint, run: Run, viewer: Viewer, receive: Receive, send: Send) -> None:
        super().__init__(run)
        self._endpoint, self._viewer = endpoint, viewer
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._beating: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.line = Line(receive, send)

    async def serve(self, parameters: Parameters, more: dict[str, str | None]) -> None:
        """From the first byte to the last."""
        leaving = asyncio.create_task(self._leaves())
        try:
            name = (b"x-request-id", self._run.request.id.encode())
            await self.line.put({"type": "http.response.start", "status": 200, "headers": [*OPENED, name]})
            await self._write(BEAT)  # some clients see no headers before the first byte
            self._expire()
            self.work(self.start(parameters, self._viewer, **more))
            await self._over
        finally:
            await self._clear(leaving)
        await self.line.put({"type": "http.response.body", "body": b""})
        asyncio.get_running_loop().call_later(self._endpoint.send_timeout, self.line.abort_unread)

    async def _clear(self, leaving: asyncio.Task[None]) -> None:
        """Stop what still runs, and wait until it has cleaned up."""
        self.end()
        if self._timer is not None:
            self._timer.cancel()
        tasks = [task for task in (leaving, self.task, self._beating) if task is not None]
        self.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def end(self) -> None:
        """No more is said; a client that was not told `complete` asks again."""
        if not self._over.done():
            self._over.set_result(None)

    def leave(self) -> None:
        """The server stops: it does not wait for who does not read."""
        self.cut() if self.line.busy else self.end()

    def cut(self) -> None:
        """End a connection that nobody reads from."""
        self.line.gone = True
        self.line.abort_unread()
        self.end()

    def beat(self) -> None:
        """Show that the connection is alive, unless something is on its way already."""
        if not self.line.busy and (rest := at_once(self._write(BEAT))) is not None:
            self._beating = asyncio.create_task(_finish(rest))

    async def say(self, payload: str, cursor: str | None = None) -> None:
        place = f"id: {cursor}\n" if cursor else ""
        await self._write(f"{place}event: next\ndata: {payload}\n\n")

    async def say_complete(self) -> None:
        await self._write(COMPLETE)

    async def say_failed(self, errors: list[dict[str, Any]]) -> None:
        await self.say(json_codec.encode({"errors": errors}).decode())
        await self._write(COMPLETE)

    def closed(self) -> None:
        self.end()

    async def _write(self, text: str) -> None:
        """Sends it, unless the stream is over."""
        if not self._over.done():
            await self.line.put({"type": "http.response.body", "body": text.encode(), "more_body": True})

    def _expire(self) -> None:
        """End with the token, whatever the clock has done in between."""
        left = self._viewer.expires_at - time()
        if left <= 0:
            self.end()
        else:
            self._timer = asyncio.get_running_loop().call_later(min(left, RECHECK), self._expire)

    async def _leaves(self) -> None:
        """Until the client does."""
        while (await self.line.receive())["type"] != "http.disconnect":
            pass
        self.line.gone = True
        self.end()


async def _finish(rest: Awaitable[None]) -> None:
    await rest
