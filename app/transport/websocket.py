"""graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md).

A socket costs one task, and one more for each operation that works; a subscription that waits for events costs none.
Nothing is queued for a client: one that does not read blocks its own operations, and its socket is aborted after
`send_timeout`.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic, perf_counter, time
from typing import Any

from starlette.types import Receive, Scope, Send

from app.errors import BadInput, RateLimited, Refused
from app.origins import Origins
from app.telemetry import Request, trace_id_of
from app.transport import json_codec
from app.transport.connection import SEND_TIMEOUT_SECONDS, Connection, Suspended
from app.transport.deadline import MAX_TIMER_SECONDS
from app.transport.errors import format_failure, log_fault
from app.transport.fan_out import EncodedEvent
from app.transport.forwarded import TrustedProxies
from app.transport.operation_task import OperationTask
from app.transport.operations import OWNER_HEADER, Operations, header
from app.transport.parameters import Parameters
from app.transport.refusals import log_closed, log_refused
from app.transport.websocket_frames import CloseSocket, frame_of, id_of, owner_of, payload_of, quoted, token_of
from app.transport.websocket_protocol import SENDS_TEXT

PROTOCOL = "graphql-transport-ws"
KEPT_HEADERS = (
    b"authorization",
    b"traceparent",
    OWNER_HEADER,
)  # of the handshake; a socket keeps its headers for its life


class WebSocketEndpoint:
    """The ASGI application of one GraphQL URL's sockets.

    Pages of `origins` may connect, and those of our own origin as the `proxies` report it. `init_timeout` is how long a
    socket may take to send `connection_init`, `send_timeout` how long it may leave a message unread, in seconds.
    `max_operations` limits the operations of one socket.
    """

    def __init__(
        self,
        operations: Operations,
        *,
        origins: Origins,
        proxies: TrustedProxies,
        init_timeout: float,
        max_operations: int,
        send_timeout: float = SEND_TIMEOUT_SECONDS,
    ) -> None:
        self.operations = operations
        self.init_timeout = init_timeout
        self.send_timeout = send_timeout
        self.max_operations = max_operations
        self._origins, self._proxies = origins, proxies
        self._sockets: set[_Socket] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open_sockets(self) -> int:
        """How many are open."""
        return len(self._sockets)

    @property
    def running(self) -> int:
        """How many operations, mostly subscriptions, have begun and not ended."""
        return sum(len(socket.running) for socket in self._sockets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one socket until it is closed."""
        await receive()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        kept = {name: value for name, value in headers.items() if name in KEPT_HEADERS}
        if not self._is_origin_allowed(scope, headers):
            await self._refuse(send, 1008, "Origin not allowed", origin=headers[b"origin"].decode("latin-1"))
        elif PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.accept"})
            await self._refuse(send, 4406, "Subprotocol not acceptable", offered=", ".join(scope["subprotocols"]))
        else:
            await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
            scope["headers"] = []  # as long as the socket lives, so does the scope
            del headers
            connection = Connection(receive, send, scope.get("extensions", {}).get(SENDS_TEXT))
            await self._serve(_Socket(self, kept, connection))

    async def _refuse(self, send: Send, code: int, reason: str, **details: str) -> None:
        log_closed(code, reason, **details)
        await send({"type": "websocket.close", "code": code, "reason": reason})

    async def _serve(self, socket: "_Socket") -> None:
        self._sockets.add(socket)
        self._timer = self._timer or self._schedule()
        try:
            await socket.serve()
        finally:
            self._sockets.discard(socket)
            await socket.clean_up()

    def _is_origin_allowed(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """True for our own origin and those of the settings; only browsers send an origin."""
        origin = headers.get(b"origin", b"").decode("latin-1")
        return not origin or self._origins.allow(origin) or self._proxies.is_own_origin(origin, scope, headers)

    def _schedule(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self.send_timeout / 4, self._abort_blocked)

    def _abort_blocked(self) -> None:
        """One timer for all sockets: a timer for each message would cost more than the message."""
        limit = monotonic() - self.send_timeout
        for socket in [socket for socket in self._sockets if socket.is_blocked_since(limit)]:
            socket.abort()
        self._timer = self._schedule() if self._sockets else None


class _Socket:
    __slots__ = (
        "_by_id",
        "_closed",
        "_closing",
        "_endpoint",
        "_headers",
        "_initialised",
        "_timer",
        "_viewer",
        "connection",
        "running",
    )

    def __init__(self, endpoint: WebSocketEndpoint, headers: dict[bytes, bytes], connection: Connection) -> None:
        self._endpoint = endpoint
        self._by_id: dict[str, _Operation] = {}
        self._headers = headers
        self._initialised = self._closed = False
        self._viewer: Any = None
        self._closing: asyncio.Task[None] | None = None
        self.connection = connection
        self.running: set[_Operation] = set()
        """All that have not ended; one whose client has sent `complete` has no id any more."""
        loop = asyncio.get_running_loop()
        timeout = CloseSocket(4408, "Connection initialisation timeout")
        self._timer = loop.call_later(endpoint.init_timeout, self._close_soon, timeout)

    async def serve(self) -> None:
        """Handles messages until either side closes."""
        while not self._closed:
            await self._handle(await self.connection.receive())  # a variable would keep the message while we wait

    async def clean_up(self) -> None:
        """Cancels all operations and waits until they have ended."""
        self._closed = True
        self._timer.cancel()
        working = [task for operation in self.running if (task := operation.task)]
        self._cancel_operations()
        asyncio.get_running_loop().call_later(self._endpoint.send_timeout, self.connection.abort_if_unread)
        if tasks := [*working, *([self._closing] if self._closing else [])]:
            await asyncio.gather(*tasks, return_exceptions=True)

    def is_blocked_since(self, limit: float) -> bool:
        """True if the client has read nothing since then, or has gone."""
        return self.connection.disconnected or self.connection.blocked_since < limit

    def abort(self) -> None:
        """Drops the connection to a client that does not read: a close frame would wait like everything else."""
        self._closed = True
        self.connection.abort_if_unread()
        self._cancel_operations()

    def _cancel_operations(self) -> None:
        for operation in list(self.running):
            operation.cancel()

    async def _handle(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "websocket.disconnect":
            if not self._closed:
                self._closed = True
                self.connection.abort_if_unread()
            return
        try:
            await self._dispatch(frame_of(message.get("text")))
        except CloseSocket as close:
            await self._close(close)

    async def _dispatch(self, frame: dict[str, Any]) -> None:
        match frame.get("type"):
            case "subscribe":
                await self._subscribe(id_of(frame), frame.get("payload"))
            case "complete":
                self._complete(id_of(frame))
            case "ping":
                payload_of(frame)
                await self.send(b'{"type":"pong"}')
            case "pong":
                pass
            case "connection_init":
                await self._initialise(payload_of(frame))
            case other:
                raise CloseSocket(4400, f"Unknown message type {str(other)[:50]!r}")

    async def _initialise(self, payload: Mapping[str, Any]) -> None:
        if self._initialised:
            raise CloseSocket(4429, "Too many initialisation requests")
        self._initialised = True
        self._timer.cancel()
        if isinstance(traceparent := payload.get("traceparent"), str) and trace_id_of(traceparent):
            self._headers[b"traceparent"] = traceparent.encode()
        try:
            token, owner = token_of(payload, self._headers), owner_of(payload, self._headers)
            self._viewer = await self._endpoint.operations.viewer(token, owner)
        except Refused as refused:
            raise CloseSocket(4403, refused.message) from None
        except Exception as fault:
            log_fault(fault)
            raise CloseSocket(1011, "Something went wrong on our side") from None
        self._check_expiry()
        await self.send(b'{"type":"connection_ack"}')

    def _check_expiry(self) -> None:
        """Closes the socket once its token has expired."""
        left = self._viewer.expires_at - time()
        if left <= 0:
            return self._close_soon(CloseSocket(4403, "The token has expired"))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(min(left, MAX_TIMER_SECONDS), self._check_expiry)
        return None

    async def _subscribe(self, id: str, payload: Any) -> None:
        if self._viewer is None:
            raise CloseSocket(4401, "Unauthorized")
        if id in self._by_id:
            raise CloseSocket(4409, f"Subscriber for {id} already exists")
        try:
            parameters = Parameters.of(payload)
        except BadInput as wrong:
            raise CloseSocket(4400, wrong.message) from None
        if len(self.running) >= self._endpoint.max_operations:
            limit = RateLimited(f"A socket runs at most {self._endpoint.max_operations} operations at a time.")
            errors = format_failure(limit, "")
            log_refused(errors)
            return await self.send(json_codec.encode({"type": "error", "id": id, "payload": errors}))
        request = self._endpoint.operations.begin(header(self._headers, b"traceparent"))
        self._by_id[id] = operation = _Operation(self, id, self._endpoint.operations, request)
        self.running.add(operation)
        operation.run(operation.start(parameters, self._viewer))
        return None

    def _complete(self, id: str) -> None:
        if operation := self._by_id.pop(id, None):
            operation.cancel()

    def release_id(self, operation: "_Operation") -> None:
        """The client may use the operation's id again."""
        if self._by_id.get(operation.id) is operation:
            del self._by_id[operation.id]

    def send_now(self, text: bytes) -> bool:
        """Sends a frame if the client need not read first, nor the socket be closed."""
        return not self._closed and self.connection.send_now(text)

    async def send(self, text: bytes) -> None:
        """Sends a frame unless the socket is closed."""
        if not self._closed and not self.connection.send_now(text):
            await self.connection.send({"type": "websocket.send", "text": text.decode()})

    def _close_soon(self, close: CloseSocket) -> None:
        self._closing = self._closing or asyncio.create_task(self._close(close))

    async def _close(self, close: CloseSocket) -> None:
        if self._closed:
            return
        self._closed = True
        log_closed(close.code, close.reason)
        self._cancel_operations()
        await self.connection.send({"type": "websocket.close", "code": close.code, "reason": close.reason})


class _Operation(OperationTask):
    """One operation of a socket."""

    __slots__ = ("_opening", "_socket", "id")
    protocol = "websocket"

    def __init__(self, socket: _Socket, id: str, operations: Operations, request: Request) -> None:
        super().__init__(operations, request, perf_counter())
        self._socket, self.id = socket, id
        self._opening = b'{"type":"next","id":%b,"payload":' % quoted(id)

    def send_event(self, event: EncodedEvent) -> Suspended | None:
        if self._socket.send_now(b"%b%b}" % (self._opening, event.payload)):
            return None
        return super().send_event(event)

    async def send(self, payload: bytes, cursor: str | None = None) -> None:
        await self._socket.send(b"%b%b}" % (self._opening, payload))

    async def send_complete(self) -> None:
        await self._send_last(b'{"type":"complete","id":%b}' % quoted(self.id))

    async def send_errors(self, errors: list[dict[str, Any]]) -> None:
        await self._send_last(json_codec.encode({"type": "error", "id": self.id, "payload": errors}))

    async def _send_last(self, text: bytes) -> None:
        self._socket.release_id(self)  # before the client can read the frame and use the id again
        await self._socket.send(text)

    def on_end(self) -> None:
        self._socket.release_id(self)
        self._socket.running.discard(self)
