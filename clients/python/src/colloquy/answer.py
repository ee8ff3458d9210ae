"""`AsyncClient.answer`: a message that clients read while this program writes it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from colloquy.answer_state import AnswerState, Stopped, stopped_if_cancelled
from colloquy.errors import ColloquyError, IllegalTransition
from colloquy.methods import AsyncRunner
from colloquy.operation import Operation
from colloquy.operations.streaming_message import cancel_message
from colloquy.results import StartedMessage

LAST_REQUEST_SECONDS = 5.0
T = TypeVar("T")


class Answer(AnswerState):
    """An answer of the asyncio client, with the attributes of AnswerState."""

    def __init__(self, client: AsyncRunner, started: StartedMessage, pause: float, keep_alive: float) -> None:
        super().__init__(started)
        self._client, self._pause, self._keep_alive = client, pause, keep_alive
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

    async def run(self, producer: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine that writes this answer and returns its result; cancels it when nothing more can be written.

        A producer that waits for a silent model ends within `keep_alive` seconds of a stop. Raises as `write`.
        """
        task = asyncio.create_task(producer)
        try:
            await asyncio.wait({task, self._sender}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._sender.done():
            await self._flush()
        return task.result()

    async def finish(self) -> None:
        """Sends the rest and completes the message. The end of the block does the same."""
        await self._flush()
        try:
            self.message = await self._client.run(self._end("COMPLETE"))
        except IllegalTransition as error:
            raise stopped_if_cancelled(error, error.from_status) from None

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
        self._check_kind(is_text=is_text)
        if self._sender.done():
            await self._flush()

    async def _flush(self) -> None:
        """Waits until the background task has sent everything, and raises what it raised."""
        self._ending.set()
        self._wake.set()
        try:
            await asyncio.shield(self._sender)  # after a cancellation the text that is buffered is still sent
        except IllegalTransition as error:
            raise stopped_if_cancelled(error, error.to_status) from None

    async def _send_in_background(self) -> None:
        while not self._ending.is_set() or self._buffer:
            await _wait(self._wake, self._keep_alive)
            self._wake.clear()
            piece = self._take()
            if piece or not self._ending.is_set():  # an empty piece keeps the message alive
                await self._client.run(self._extension(piece))
                self._offset += len(piece)
                await _wait(self._ending, self._pause)  # texts written meanwhile go out together


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


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
