"""Events over graphql-transport-ws, followed across lost connections by their cursors."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import stamina
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from colloquy.errors import Unauthenticated, of_response
from colloquy.reading import read
from colloquy.results import Approval, Message, Session, SessionAgent, Task

PROTOCOL = Subprotocol("graphql-transport-ws")
TOKEN_REFUSED = 4401, 4403
AGAIN_SECONDS = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; a stream goes on after it from its `cursor`."""

    cursor: str


@dataclass(frozen=True, slots=True)
class MessageAdded(Event):
    """A message that is new to this reader."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageDelta(Event):
    """A message that is being written has grown: its text is what it was up to `offset` (code points), and `text`."""

    message_id: str
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class MessageChanged(Event):
    """A message was changed."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageRemoved(Event):
    """A message was deleted."""

    message_id: str


@dataclass(frozen=True, slots=True)
class SessionChanged(Event):
    """A session's own fields were changed."""

    session: Session


@dataclass(frozen=True, slots=True)
class SessionRemoved(Event):
    """A session was erased; nothing follows."""

    session_id: str


@dataclass(frozen=True, slots=True)
class SessionAgentChanged(Event):
    """An agent's part in the session is new or was changed."""

    session_agent: SessionAgent


@dataclass(frozen=True, slots=True)
class TaskChanged(Event):
    """A task of the session is new or was changed."""

    task: Task


@dataclass(frozen=True, slots=True)
class ApprovalChanged(Event):
    """An approval in the session is new or was changed."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class CaughtUp(Event):
    """What happened before has been told; from here on events come as they happen."""


@dataclass(frozen=True, slots=True)
class StreamReset(Event):
    """The cursor could not be honoured: read again what you show. The stream goes on from now."""

    reason: Literal["CURSOR_UNKNOWN", "CURSOR_FROM_THE_FUTURE"]


KINDS = {kind.__name__: kind for kind in Event.__subclasses__()}


async def events(
    url: str, token: Callable[[], Awaitable[str]], query: str, variables: Mapping[str, Any]
) -> AsyncIterator[Event]:
    """The events after `variables["after"]`; a lost connection is made again, with the cursor of the last one seen."""
    after = variables["after"]
    while True:
        try:
            async with await _connection(url, await token()) as socket:
                await _say(socket, "subscribe", {"query": query, "variables": {**variables, "after": after}})
                async for found in _received(socket):
                    after = found["cursor"]
                    kind = KINDS.get(found["__typename"])
                    if kind is not None:  # the server may know more than this client does
                        yield read(kind, found)
                return
        except ConnectionClosed:
            await asyncio.sleep(random.uniform(*AGAIN_SECONDS))  # noqa: S311 # so that not all clients come at once


async def _connection(url: str, token: str) -> ClientConnection:
    """A socket that the server has let in; tried for as long as nobody answers."""
    async for attempt in stamina.retry_context(on=_passing, attempts=None, timeout=None, wait_max=10.0):
        with attempt:
            socket = await connect("ws" + url.removeprefix("http"), subprotocols=[PROTOCOL], max_size=None)
            try:
                await _say(socket, "connection_init", {"Authorization": f"Bearer {token}"})
                await _heard(socket)
            except BaseException as error:
                await socket.close()
                raise _refused(error) or error from None
    return socket


def _passing(error: Exception) -> bool:
    """Whether the way to the server may be open again later."""
    if isinstance(error, InvalidStatus):
        return error.response.status_code >= 500
    return isinstance(error, OSError | EOFError | ConnectionClosed | InvalidMessage)


def _refused(error: BaseException) -> Unauthenticated | None:
    """A token that does not open the door."""
    if isinstance(error, ConnectionClosed) and error.rcvd and error.rcvd.code in TOKEN_REFUSED:
        return Unauthenticated(error.rcvd.reason)
    return None


async def _received(socket: ClientConnection) -> AsyncIterator[Mapping[str, Any]]:
    while True:
        frame = await _heard(socket)
        if frame["type"] == "complete":
            return
        if frame["type"] == "error":
            raise of_response(frame["payload"][0])
        if frame["payload"].get("errors"):
            raise of_response(frame["payload"]["errors"][0])
        [found] = frame["payload"]["data"].values()
        yield found


async def _heard(socket: ClientConnection) -> Mapping[str, Any]:
    """The next frame that is not about the connection itself."""
    while True:
        frame: Mapping[str, Any] = orjson.loads(await socket.recv())
        if frame["type"] == "ping":
            await socket.send('{"type":"pong"}')
        elif frame["type"] != "pong":
            return frame


async def _say(socket: ClientConnection, kind: str, payload: Mapping[str, Any]) -> None:
    await socket.send(orjson.dumps({"id": "1", "type": kind, "payload": payload}).decode())
