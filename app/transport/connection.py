"""The outgoing side of one client's connection: slow-reader detection, and sends that need no task of their own."""

from collections.abc import Callable, Coroutine, Generator
from time import monotonic
from typing import Any

from starlette.types import Message, Receive, Send

NEVER = float("inf")
SEND_TIMEOUT_SECONDS = 30.0
"""How long a client may leave a message unread."""


class Connection:
    """Sends ASGI messages to one client.

    `blocked_since` is when the oldest unsent message began to wait for the client to read, in monotonic seconds, or
    NEVER. `disconnected` is True once nothing can be sent any more.
    """

    __slots__ = ("_send", "_send_text", "_sending", "blocked_since", "disconnected", "receive")

    def __init__(self, receive: Receive, send: Send, send_text: Callable[[bytes], bool] | None = None) -> None:
        """`send_text` sends a message of a WebSocket at once, or returns False."""
        self.receive, self._send, self._send_text = receive, send, send_text
        self._sending = 0
        self.disconnected = False
        self.blocked_since = NEVER

    @property
    def is_sending(self) -> bool:
        """True while a message waits for the client to read."""
        return self._sending > 0

    def send_now(self, text: bytes) -> bool:
        """Sends a message of a WebSocket, in UTF-8, without waiting; False if only `send` can send it."""
        return not self._sending and self._send_text is not None and self._send_text(text)

    async def send(self, message: Message) -> None:
        """Returns once the client has read enough of what was sent before."""
        if self.disconnected:
            return
        self._sending += 1
        self.blocked_since = min(self.blocked_since, monotonic())
        try:
            await self._send(message)
        except (OSError, RuntimeError):  # what ASGI servers raise after the client has gone or they have closed
            self.disconnected = True
        finally:
            self._sending -= 1
            self.blocked_since = monotonic() if self._sending else NEVER

    def abort_if_unread(self) -> None:
        """Drops the connection if the client has not read everything.

        ASGI has no call for it, and uvicorn waits for such a client, even when it stops.
        """
        transport = getattr(getattr(self.receive, "__self__", None), "transport", None)
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()


class Suspended:
    """The rest of a coroutine that had to wait; awaiting it runs it to its end."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine, self._waits_for = coroutine, waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield self._waits_for
        except BaseException:
            self._coroutine.close()  # it cleans up now, not when it is garbage-collected
            raise
        yield from self._coroutine.__await__()


def run_until_blocked(coroutine: Coroutine[Any, Any, None]) -> Suspended | None:
    """Runs a coroutine until it has to wait; None if it has ended, which most sends do: they cost no task."""
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return Suspended(coroutine, waits_for)
