"""The way to one client, who may not read."""

from time import monotonic

from starlette.types import Message, Receive, Send

NEVER = float("inf")


class Line:
    """Sends, and knows since when something waits to be read; `gone` when nobody is there to read it."""

    __slots__ = ("_send", "_sending", "gone", "receive", "stuck_since")

    def __init__(self, receive: Receive, send: Send) -> None:
        self.receive, self._send = receive, send
        self._sending = 0
        self.gone = False
        self.stuck_since = NEVER

    @property
    def busy(self) -> bool:
        """Whether something waits to be read."""
        return self._sending > 0

    async def put(self, message: Message) -> None:
        """Returns once the client has taken enough of what was sent before."""
        if self.gone:
            return
        self._sending += 1
        self.stuck_since = min(self.stuck_since, monotonic())
        try:
            await self._send(message)
        except (OSError, RuntimeError):  # ASGI servers say so when the client is gone, or when they have closed
            self.gone = True
        finally:
            self._sending -= 1
            self.stuck_since = monotonic() if self._sending else NEVER

    def abort_unread(self) -> None:
        """Drop what the client does not read: ASGI cannot, and uvicorn waits for it, at its own end too."""
        transport = getattr(getattr(self.receive, "__self__", None), "transport", None)
        if transport is not None and transport.get_write_buffer_size():
            transport.abort()
