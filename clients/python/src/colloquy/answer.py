"""An answer that is written while it is read: its text goes out in the background, several pieces at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

from colloquy.call import UNSET, Call, Given, RunsAsync, Unset
from colloquy.calls.stream import cancel_message, extend_message, finish_message
from colloquy.errors import ColloquyError, IllegalTransition
from colloquy.results import Message, Started, TokenUsage

GOODBYE_SECONDS = 5
STILL_THERE_SECONDS = 20.0


class Stopped(Exception):
    """Somebody has pressed Stop. It ends the block of its answer, quietly."""


class Answer:
    """A message under way. `raw`, `usage` and `metadata` may be set for its end; a `raw` beats what was written.

    `already` is the text that a producer before this one has left under the same key: what is written goes on after
    it. After the block `message` is the message as it ended, and `stopped` whether somebody else has ended it.
    """

    def __init__(self, client: RunsAsync, started: Started, pause: float) -> None:
        self.message: Message = started.message
        self.already = started.message.text
        self.stopped = False
        self.raw: str | None = None
        self.usage: TokenUsage | None = None
        self.metadata: Given | Unset = UNSET
        self._client, self._fence, self._pause = client, started.fence, pause
        self._offset = len(self.already)
        self._unsent: list[str] = []
        self._more, self._ending = asyncio.Event(), asyncio.Event()
        self._sender = asyncio.create_task(self._send())

    async def write(self, text: str) -> None:
        """Takes the next piece of text. Raises Stopped when somebody has pressed Stop, and what else has gone wrong."""
        if self._sender.done():
            await self._flush()
        if text:
            self._unsent.append(text)
            self._more.set()

    async def finish(self) -> None:
        """Sends what is left and ends the message; the block does it."""
        await self._flush()
        try:
            self.message = await self._client.run(self._end("COMPLETE"))
        except IllegalTransition as refused:
            raise _told(refused, refused.from_status) from None

    async def fail(self) -> None:
        """Sends what can be sent and says that it went wrong."""
        with suppress(ColloquyError, Stopped):
            await self._flush()
        self.message = await self._client.run(self._end("FAILED"))

    async def cancel(self) -> None:
        """Sends what can be sent and stops the message, unless it has been."""
        with suppress(ColloquyError, Stopped):
            await self._flush()
        self.message = await self._client.run(cancel_message(self.message.id))

    def close(self) -> None:
        """Sends no more."""
        self._sender.cancel()

    def _end(self, status: Literal["COMPLETE", "FAILED"]) -> Call[Message]:
        return finish_message(
            self.message.id, self._fence, status, raw=self.raw, usage=self.usage, metadata=self.metadata
        )

    async def _flush(self) -> None:
        self._ending.set()
        self._more.set()
        try:
            await asyncio.shield(self._sender)  # whoever is cancelled here still has it send the rest
        except IllegalTransition as refused:
            raise _told(refused, refused.to_status) from None

    async def _send(self) -> None:
        while not self._ending.is_set() or self._unsent:
            await _within(STILL_THERE_SECONDS, self._more)
            self._more.clear()
            text = "".join(self._unsent)
            self._unsent.clear()
            if text or not self._ending.is_set():  # nothing new says that we are still there
                await self._client.run(extend_message(self.message.id, self._fence, self._offset, text))
                self._offset += len(text)
                await _within(self._pause, self._ending)  # lets pieces gather, unless there will be no more


async def _within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _told(refused: IllegalTransition, status: str) -> Exception:
    return Stopped() if status == "CANCELLED" else refused


@asynccontextmanager
async def answering(client: RunsAsync, start: Call[Started], pause: float) -> AsyncIterator[Answer]:
    """The block of an answer: COMPLETE at its end, FAILED by an exception, CANCELLED with its task."""
    answer = Answer(client, await client.run(start), pause)
    try:
        yield answer
        await answer.finish()
    except Stopped:
        answer.stopped = True
        await answer.cancel()
    except asyncio.CancelledError:
        await _last(answer.cancel())
        raise
    except Exception:
        await _last(answer.fail())
        raise
    finally:
        answer.close()


async def _last(act: Any) -> None:
    """Whatever comes of it, the producer's own reason to end is the one to be told."""
    with suppress(ColloquyError, Stopped, TimeoutError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            await act
