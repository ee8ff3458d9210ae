"""graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).

A socket costs one task, and an operation on it one more while it works; a subscription that waits for events costs
none. Nothing is queued for a client: who does not read makes its own operations wait, and is cut off when they have
waited too long.
"""

import asyncio
from collections.abc import Collection, Mapping
from time import monotonic, time
from typing import Any
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from app.errors import BadInput, RateLimited, Refused
from app.telemetry import begin
from app.transport import json_codec
from app.transport.connection import Line
from app.transport.errors import format_failure, log_fault
from app.transport.event_operation import Run
from app.transport.operation_task import Telling
from app.transport.operations import Operations, Parameters, header
from app.transport.websocket_frames import Closing, frame_of, id_of, payload_of, quoted, token_of

PROTOCOL = "graphql-transport-ws"
KEPT = (b"authorization", b"traceparent")  # of the handshake's headers
RECHECK = 3_600.0  # seconds: timers do not take every delay, and a token may be good for ages


class WebSocketEndpoint:
    """The ASGI application of one GraphQL URL's sockets.

    `origins` are the sites beside our own whose pages may connect (`*` for all). `init_timeout` is how long
    a socket may take to introduce itself, `send_timeout` how long it may leave a message unread (seconds).
    """

    def __init__(
        self,
        operations: Operations,
        *,
        origins: Collection[str] = (),
        init_timeout: float = 5.0,
        send_timeout: float = 30.0,
        max_operations: int = 100,
    ) -> None:
        self.operations = operations
        self.init_timeout = init_timeout
        self.send_timeout = send_timeout
        self.max_operations = max_operations
        self._origins = origins
        self._open: set[_Socket] = set()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def sockets(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def running(self) -> int:
        """How many operations run on them, subscriptions mostly."""
        return sum(len(socket.running) for socket in self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until it is closed."""
        await receive()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        kept = {name: value for name, value in headers.items() if name in KEPT}
        if not self._welcome(headers):
            await send({"type": "websocket.close", "code": 1008, "reason": "Origin not allowed"})
        elif PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 4406, "reason": "Subprotocol not acceptable"})
        else:
            await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
            await self._serve(_Socket(self, kept, receive, send))

    async def _serve(self, socket: "_Socket") -> None:
        self._open.add(socket)
        self._watch = self._watch or self._later()
        try:
            await socket.serve()
        finally:
            self._open.discard(socket)
            await socket.clear()

    def _welcome(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the page may connect: a browser always tells its origin, nobody else need have one."""
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not origin or origin in self._origins or "*" in self._origins:
            return True
        return urlsplit(origin).netloc == headers.get(b"host", b"").decode("latin-1")

    def _later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self.send_timeout / 4, self._sweep)

    def _sweep(self) -> None:
        """One timer for all sockets: a timer per message would cost more than the message."""
        before = monotonic() - self.send_timeout
        for socket in [socket for socket in self._open if socket.line.gone or socket.line.stuck_since < before]:
            socket.cut()
        self._watch = self._later() if self._open else None


class _Socket:
    __slots__ = (
        "_closed",
        "_closing",
        "_endpoint",
        "_headers",
        "_init",
        "_operations",
        "_timer",
        "_viewer",
        "line",
        "running",
    )

    def __init__(self, endpoint: WebSocketEndpoint, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        self._endpoint = endpoint
        self._operations: dict[str, _Operation] = {}
        self._headers = headers
        self._init = self._closed = False
        self._viewer: Any = None
        self._closing: asyncio.Task[None] | None = None
        self.line = Line(receive, send)
        self.running: set[_Operation] = set()
        loop = asyncio.get_running_loop()
        timeout = Closing(4408, "Connection initialisation timeout")
        self._timer = loop.call_later(endpoint.init_timeout, self._close_soon, timeout)

    async def serve(self) -> None:
        """Handle messages until either side closes."""
        while not self._closed:
            message = await self.line.receive()
            if message["type"] != "websocket.disconnect":
                await self._handle(message)
            elif not self._closed:
                self._closed = True
                self.line.abort_unread()

    async def clear(self) -> None:
        """Stop what still runs, and wait until it has cleaned up."""
        self._closed = True
        self._timer.cancel()
        working = [task for operation in self.running if (task := operation.task)]
        self._stop()
        asyncio.get_running_loop().call_later(self._endpoint.send_timeout, self.line.abort_unread)
        if tasks := [*working, *([self._closing] if self._closing else [])]:
            await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        """End a connection that nobody reads from: a close frame would wait like everything else."""
        self._closed = True
        self.line.abort_unread()
        self._stop()

    def _stop(self) -> None:
        for operation in list(self.running):
            operation.cancel()

    async def _handle(self, message: Mapping[str, Any]) -> None:
        try:
            await self._dispatch(frame_of(message.get("text")))
        except Closing as closing:
            await self._close(closing)

    async def _dispatch(self, frame: dict[str, Any]) -> None:
        match frame.get("type"):
            case "subscribe":
                await self._subscribe(id_of(frame), frame.get("payload"))
            case "complete":
                self._complete(id_of(frame))
            case "ping":
                payload_of(frame)
                await self.say('{"type":"pong"}')
            case "pong":
                pass
            case "connection_init":
                await self._introduce(payload_of(frame))
            case other:
                raise Closing(4400, f"Unknown message type {str(other)[:50]!r}")

    async def _introduce(self, payload: Mapping[str, Any]) -> None:
        if self._init:
            raise Closing(4429, "Too many initialisation requests")
        self._init = True
        self._timer.cancel()
        try:
            self._viewer = await self._endpoint.operations.viewer(token_of(payload, self._headers))
        except Refused as refused:
            raise Closing(4403, refused.message) from None
        except Exception as fault:
            log_fault(fault)
            raise Closing(1011, "Something went wrong on our side") from None
        self._expire()
        await self.say('{"type":"connection_ack"}')

    def _expire(self) -> None:
        """Close the socket when its token ends, whatever the clock has done in between."""
        left = self._viewer.expires_at - time()
        if left <= 0:
            return self._close_soon(Closing(4403, "The token has expired"))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(left, RECHECK), self._expire)
        return None

    async def _subscribe(self, id: str, payload: Any) -> None:
        if self._viewer is None:
            raise Closing(4401, "Unauthorized")
        if id in self._operations:
            raise Closing(4409, f"Subscriber for {id} already exists")
        try:
            parameters = Parameters.of(payload)
        except BadInput as wrong:
            raise Closing(4400, wrong.message) from None
        if len(self.running) >= self._endpoint.max_operations:
            limit = RateLimited(f"A socket runs at most {self._endpoint.max_operations} operations at a time.")
            frame = {"type": "error", "id": id, "payload": [format_failure(limit, "")]}
            return await self.say(json_codec.encode(frame).decode())
        run = Run(self._endpoint.operations, begin(header(self._headers, b"traceparent")), "websocket")
        self._operations[id] = operation = _Operation(self, id, run)
        self.running.add(operation)
        operation.work(operation.start(parameters, self._viewer))
        return None

    def _complete(self, id: str) -> None:
        if operation := self._operations.pop(id, None):
            operation.cancel()

    def forget(self, operation: "_Operation") -> None:
        """Its id is free again."""
        if self._operations.get(operation.id) is operation:
            del self._operations[operation.id]

    async def say(self, text: str) -> None:
        """Sends it, unless the socket is closed."""
        if not self._closed:
            await self.line.put({"type": "websocket.send", "text": text})

    def _close_soon(self, closing: Closing) -> None:
        self._closing = self._closing or asyncio.create_task(self._close(closing))

    async def _close(self, closing: Closing) -> None:
        if self._closed:
            return
        self._closed = True
        self._stop()
        await self.line.put({"type": "websocket.close", "code": closing.code, "reason": closing.reason})


class _Operation(Telling):
    """One operation of a socket."""

    __slots__ = ("_opening", "_socket", "id")

    def __init__(self, socket: _Socket, id: str, run: Run) -> None:
        super().__init__(run)
        self._socket, self.id = socket, id
        self._opening = f'{{"type":"next","id":{quoted(id)},"payload":'

    async def say(self, payload: str, cursor: str | None = None) -> None:
        await self._socket.say(f"{self._opening}{payload}}}")

    async def say_complete(self) -> None:
        await self._end(f'{{"type":"complete","id":{quoted(self.id)}}}')

    async def say_failed(self, errors: list[dict[str, Any]]) -> None:
        await self._end(json_codec.encode({"type": "error", "id": self.id, "payload": errors}).decode())

    async def _end(self, text: str) -> None:
        """By the time it is read, the id is free again."""
        self._socket.forget(self)
        await self._socket.say(text)

    def closed(self) -> None:
        self._socket.forget(self)
        self._socket.running.discard(self)
