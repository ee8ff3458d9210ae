"""`AsyncClient.answer`: a message that clients read while this program writes it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

from colloquy.errors import BadInput, ColloquyError, IllegalTransition
from colloquy.methods import AsyncRunner
from colloquy.operation import UNSET, JSONObject, Operation, Unset
from colloquy.operations.streaming_message import cancel_message, extend_message, finish_message
from colloquy.results import Message, StartedMessage, TokenUsage

LAST_REQUEST_SECONDS = 5.0


class Stopped(Exception):
    """Another client has cancelled the message. The block of the answer ends without an error."""


class Answer:
    """A streaming message that this program writes.

    - `message`: the message as the server returned it last, and as it ended after the block
    - `existing_text`: the text of an earlier producer with the same key; new text follows it
    - `existing_parts`: the same for a message of parts
    - `stopped`: True if another client has cancelled the message
    - `raw`, `usage`, `metadata`: set them to send them with the end; `raw` replaces what was written
    """

    def __init__(self, client: AsyncRunner, started: StartedMessage, pause: float, keep_alive: float) -> None:
        self.message: Message = started.message
        self.existing_text = started.message.text
        self.existing_parts = started.message.parts or ()
        self.stopped = False
        self.raw: str | None = None
        self.usage: TokenUsage | None = None
        self.metadata: JSONObject | Unset = UNSET
        self._client, self._fence = client, started.fence
        self._pause, self._keep_alive = pause, keep_alive
        self._is_text = started.message.parts is None
        self._offset = len(self.existing_text if self._is_text else self.existing_parts)
        self._buffer: list[Any] = []
        self._wake, self._ending = asyncio.Event(), asyncio.Event()
        self._sender = asyncio.create_task(self._send_in_background())

    async def write(self, text: str) -> None:
        """Adds text to the message; a background task sends it.

        Raises Stopped after another client has cancelled the message, the ColloquyError of an earlier text that could
        not be sent, and BadInput if the message consists of parts.
        """
        await self._check_writable(is_text=True)
        if text:
            self._buffer.append(text)
            self._wake.set()

    async def write_parts(self, *parts: Any) -> None:
        """Adds parts, JSON values, to a message that was started with a `parts_format`. Raises as `write`."""
        await self._check_writable(is_text=False)
        if parts:
            self._buffer += parts
            self._wake.set()

    async def finish(self) -> None:
        """Sends the rest and completes the message. The end of the block does the same."""
        await self._flush()
        try:
            self.message = await self._client.run(self._end("COMPLETE"))
        except IllegalTransition as error:
            raise _stopped_if_cancelled(error, error.from_status) from None

    async def fail(self) -> None:
        """Sends the rest if possible and fails the message."""
        with suppress(ColloquyError, Stopped):
            await self._flush()
        self.message = await self._client.run(self._end("FAILED"))

    async def cancel(self) -> None:
        """Sends the rest if possible and cancels the message."""
        with suppress(ColloquyError, Stopped):
            await self._flush()
        self.message = await self._client.run(cancel_message(self.message.id))

    def close(self) -> None:
        """Stops the background task; the message is left as it is."""
        self._sender.cancel()

    async def _check_writable(self, *, is_text: bool) -> None:
        if is_text is not self._is_text:
            raise BadInput(f"This message consists of {'text' if self._is_text else 'parts'}.")
        if self._sender.done():
            await self._flush()

    def _end(self, status: Literal["COMPLETE", "FAILED"]) -> Operation[Message]:
        return finish_message(
            self.message.id, self._fence, status, raw=self.raw, usage=self.usage, metadata=self.metadata
        )

    async def _flush(self) -> None:
        """Waits until the background task has sent everything, and raises what it raised."""
        self._ending.set()
        self._wake.set()
        try:
            await asyncio.shield(self._sender)  # after a cancellation the text that is buffered is still sent
        except IllegalTransition as error:
            raise _stopped_if_cancelled(error, error.to_status) from None

    async def _send_in_background(self) -> None:
        while not self._ending.is_set() or self._buffer:
            await _wait(self._wake, self._keep_alive)
            self._wake.clear()
            piece = "".join(self._buffer) if self._is_text else [*self._buffer]
            self._buffer.clear()
            if piece or not self._ending.is_set():  # an empty piece keeps the message alive
                content: dict[str, Any] = {"text": piece} if self._is_text else {"parts": piece}
                await self._client.run(extend_message(self.message.id, self._fence, self._offset, **content))
                self._offset += len(piece)
                await _wait(self._ending, self._pause)  # texts written meanwhile go out together


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _stopped_if_cancelled(error: IllegalTransition, status: str) -> Exception:
    return Stopped() if status == "CANCELLED" else error


@asynccontextmanager
async def answering(
    client: AsyncRunner, start: Operation[StartedMessage], pause: float, keep_alive: float
) -> AsyncIterator[Answer]:
    """The context of an answer: COMPLETE at its end, FAILED after an exception, CANCELLED with its task."""
    answer = Answer(client, await client.run(start), pause, keep_alive)
    try:
        yield answer
        await answer.finish()
    except Stopped:
        answer.stopped = True
        await answer.cancel()
    except asyncio.CancelledError:
        await _attempt(answer.cancel())
        raise
    except Exception:
        await _attempt(answer.fail())
        raise
    finally:
        answer.close()


async def _attempt(request: Awaitable[Any]) -> None:
    """Awaits the last request. Its failure is dropped: the exception that ended the block is the one to raise."""
    with suppress(ColloquyError, Stopped, TimeoutError):
        async with asyncio.timeout(LAST_REQUEST_SECONDS):
            await request
