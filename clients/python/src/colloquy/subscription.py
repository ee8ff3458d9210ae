"""Subscriptions over graphql-transport-ws that reconnect, and continue after the cursor of the last event.

Protocol: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from tenacity import AsyncRetrying
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from colloquy.decoding import decode
from colloquy.errors import (
    BadInput,
    ColloquyError,
    RateLimited,
    Unauthenticated,
    Unavailable,
    Unreachable,
    response_error,
)
from colloquy.http_transport import request_error, status_error
from colloquy.live import EVENT_TYPES, Event
from colloquy.retries import retry_options
from colloquy.trace_context import add_trace_context

SUBPROTOCOL = Subprotocol("graphql-transport-ws")
TOKEN_REJECTED = (4401, 4403)
INITIALISATION_TIMEOUT = 4408
RECONNECT_SECONDS = (0.05, 1.0)
MAX_CONNECT_WAIT_SECONDS = 10.0

# websockets logs frames at DEBUG, and one of them carries the token.
frame_log = logging.getLogger(f"{__name__}.websocket")
frame_log.setLevel(logging.INFO)


async def subscribe(
    url: str, token: Callable[[], Awaitable[str]], document: str, variables: Mapping[str, Any], owner: Mapping[str, str]
) -> AsyncIterator[Event]:
    """Yields the events after `variables["after"]`, across lost connections and expired tokens.

    Ends when the server completes the subscription. `token` is called for every connection. After RATE_LIMITED the
    subscription starts again when the owner's budget allows it.
    """
    after = variables["after"]
    while True:
        try:
            async with _connection(url, token, owner) as socket:
                await _send(socket, "subscribe", {"query": document, "variables": {**variables, "after": after}})
                async for event in _payloads(socket):
                    after = event["cursor"]
                    event_type = EVENT_TYPES.get(event["__typename"])
                    if event_type is not None:  # a newer server may send types that this client does not know
                        yield decode(event_type, event)
                return
        except (Unavailable, RateLimited) as refused:
            if not refused.retry_after:  # too many subscriptions at the same time
                raise
            await asyncio.sleep(refused.retry_after + random.uniform(*RECONNECT_SECONDS))  # noqa: S311
        except ConnectionClosed as closed:
            error = _connection_error(closed)
            if isinstance(error, BadInput):
                raise error from None
            # Clients of a server that restarts do not reconnect all at once.
            await asyncio.sleep(random.uniform(*RECONNECT_SECONDS))  # noqa: S311


@asynccontextmanager
async def _connection(
    url: str, token: Callable[[], Awaitable[str]], owner: Mapping[str, str]
) -> AsyncIterator[ClientConnection]:
    """A connection that is closed at the end, whatever has not been read."""
    socket = await _connect(url, token, owner)
    try:
        yield socket
    finally:
        closed = asyncio.create_task(socket.close())
        with suppress(ConnectionClosed):
            while True:  # the server's answer to the close comes after what it had sent
                await socket.recv()
        await closed


async def _connect(url: str, token: Callable[[], Awaitable[str]], owner: Mapping[str, str]) -> ClientConnection:
    """A connection that the server has acknowledged; connecting is retried without limit while no server answers."""
    async for attempt in AsyncRetrying(**retry_options(MAX_CONNECT_WAIT_SECONDS)):
        with attempt:
            bearer = await token()
            try:
                return await _open(url, bearer, owner)
            except (OSError, EOFError, WebSocketException) as error:
                raise _connection_error(error) from error
    raise AssertionError("a retried block returns or raises")


async def _open(url: str, token: str, owner: Mapping[str, str]) -> ClientConnection:
    address = "ws" + url.removeprefix("http")
    socket = await connect(address, subprotocols=[SUBPROTOCOL], max_size=None, logger=frame_log)
    try:
        payload = {"Authorization": f"Bearer {token}", **owner}
        add_trace_context(payload)
        await _send(socket, "connection_init", payload)
        await _receive(socket)
    except BaseException:
        await socket.close()
        raise
    return socket


def _connection_error(error: Exception) -> ColloquyError:
    """The exception for a connection that cannot be made or was closed; Unreachable if a retry may succeed."""
    if isinstance(error, InvalidStatus):
        return status_error(error.response.status_code)
    if isinstance(error, ConnectionClosed):
        return _close_error(error)
    if isinstance(error, WebSocketException) and not isinstance(error, InvalidMessage):
        return BadInput(f"There is no {SUBPROTOCOL} server behind this URL: {error}.")
    return request_error(error)


def _close_error(closed: ConnectionClosed) -> ColloquyError:
    code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
    if code in TOKEN_REJECTED:
        return Unauthenticated(reason)
    if 4400 <= code < 4500 and code != INITIALISATION_TIMEOUT:
        return BadInput(f"The server closed the connection: {reason} ({code}).")
    return Unreachable(f"The connection was closed ({code}).")


async def _payloads(socket: ClientConnection) -> AsyncIterator[Mapping[str, Any]]:
    """The events of the one subscription on this connection, as JSON objects."""
    while True:
        frame = await _receive(socket)
        if frame["type"] == "complete":
            return
        if frame["type"] == "error":
            raise response_error(frame["payload"][0])
        if frame["payload"].get("errors"):
            raise response_error(frame["payload"]["errors"][0])
        [event] = frame["payload"]["data"].values()
        yield event


async def _receive(socket: ClientConnection) -> Mapping[str, Any]:
    """The next frame that is neither ping nor pong; a ping is answered."""
    while True:
        frame: Mapping[str, Any] = orjson.loads(await socket.recv())
        if frame["type"] == "ping":
            await socket.send('{"type":"pong"}')
        elif frame["type"] != "pong":
            return frame


async def _send(socket: ClientConnection, kind: str, payload: Mapping[str, Any]) -> None:
    await socket.send(orjson.dumps({"id": "1", "type": kind, "payload": payload}).decode())
