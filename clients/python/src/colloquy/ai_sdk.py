"""Answers as AI SDK's UI message stream: written into a session while a browser reads them.

A chunk is an object of AI SDK's type `UIMessageChunk` (https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

from colloquy.answer import Answer
from colloquy.answer_state import Stopped
from colloquy.async_client import AsyncClient
from colloquy.results import Message

HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
    "x-vercel-ai-ui-message-stream": "v1",
}
"""The headers of a response with `PersistedAnswer.stream`."""

KEEP_ALIVE_SECONDS = 2.0
DONE = "[DONE]"
ROLES = {"USER": "user", "ASSISTANT": "assistant", "SYSTEM": "system"}

Chunks = AsyncIterator[Mapping[str, Any] | str]
_running: set[asyncio.Task[Message]] = set()  # the event loop holds tasks weakly


class PersistedAnswer:
    """An answer that is being written.

    - `message_id`: the id of the message in chats
    - `stream`: its chunks as server-sent events, for one browser. The answer is written to its end, whether or not
      they are read.
    """

    def __init__(self, answer: Answer, context: AsyncExitStack, chunks: Chunks) -> None:
        self.message_id = answer.message.key or answer.message.id
        self.stream = self._events()
        self._answer = answer
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._types: set[str] = set()
        self._task = asyncio.create_task(self._write(context, chunks))
        _running.add(self._task)
        self._task.add_done_callback(_running.discard)

    async def message(self) -> Message:
        """Waits for the end of the answer, and returns its message.

        Raises what `chunks` raised, and the ColloquyError of a message that could not be written.
        """
        return await asyncio.shield(self._task)

    async def _events(self) -> AsyncGenerator[str, None]:
        while (data := await self._queue.get()) is not None:
            yield f"data: {data}\n\n"

    async def _write(self, context: AsyncExitStack, chunks: Chunks) -> Message:
        try:
            with suppress(_Failed):
                async with context:
                    await self._answer.run(self._copy(chunks))
                    self._raise_end()
            if self._answer.stopped and "abort" not in self._types:
                self._send({"type": "abort"})
        except Exception:
            self._send({"type": "error", "errorText": "The answer has failed."})
            raise
        finally:
            self._queue.put_nowait(DONE)
            self._queue.put_nowait(None)
        return self._answer.message

    async def _copy(self, chunks: Chunks) -> None:
        try:
            async for piece in chunks:
                for chunk in _chunks(piece):
                    own = chunk | {"messageId": self.message_id} if chunk["type"] == "start" else chunk
                    await self._answer.write_parts(own)
                    self._send(own)
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    def _send(self, chunk: dict[str, Any]) -> None:
        self._types.add(chunk["type"])
        self._queue.put_nowait(json.dumps(chunk))

    def _raise_end(self) -> None:
        """Ends the answer as its chunks did."""
        if "error" in self._types:
            raise _Failed
        if "abort" in self._types:
            raise Stopped


class _Failed(Exception):
    """The chunks contain an error."""


class _Replaced(Exception):
    """The answer has chunks of an earlier producer."""


async def persist(
    client: AsyncClient,
    session_id: str,
    chunks: Chunks,
    *,
    keep_alive: float = KEEP_ALIVE_SECONDS,
    **fields: Any,
) -> PersistedAnswer:
    """Starts an answer, and writes `chunks` into it in the background while its `stream` is read.

    `chunks` yields chunks as dicts, or server-sent events as strings of whole lines. Its iteration begins after the
    start, and is cancelled when another client cancels the message, within `keep_alive` seconds while it yields
    nothing. The message ends COMPLETE, CANCELLED by a cancellation or a chunk `abort`, or FAILED by a chunk `error` or
    an exception.

    `fields` are the arguments of `AsyncClient.answer`. With a `key`, one producer writes at a time: a message of this
    key that is being written ends FAILED, and the new answer is written without the key; after its end persist raises
    Conflict. Raises NotFound without the session.
    """
    options = {"keep_alive": keep_alive, "parts_format": "AI_SDK", **fields}
    try:
        async with AsyncExitStack() as context:
            answer = await context.enter_async_context(client.answer(session_id, **options))
            if answer.existing_parts:
                raise _Replaced
            return PersistedAnswer(answer, context.pop_all(), chunks)
    except _Replaced:  # these chunks cannot continue those of another run
        return await persist(client, session_id, chunks, **options | {"key": None})


async def load_ui_messages(client: AsyncClient, session_id: str) -> list[dict[str, Any]]:
    """Returns the messages of a session as `UIMessage`s, the oldest first, without those that are being written.

    A message that was written as a `UIMessage` or in chunks comes as it was written, any other as its text. Of messages
    with one id, as an answer and its continuation, the last counts. Without the session the list is empty.
    """
    ended = [message async for message in client.messages(session_id) if message.status != "STREAMING"]
    messages = [_ui_message(message) for message in ended if message.role in ROLES]
    return list({message["id"]: message for message in messages if message["parts"]}.values())


def _ui_message(message: Message) -> dict[str, Any]:
    document = _document(message.raw)
    if document is None:
        parts = [{"type": "text", "text": message.text}] if message.text else []
        document = {"id": "", "role": ROLES[message.role], "parts": parts}
    return document | {"id": document["id"] or message.key or message.id}


def _document(raw: str | None) -> dict[str, Any] | None:
    """The `UIMessage` in `raw`, if it is one."""
    try:
        document: Any = json.loads(raw or "null")
    except ValueError:
        return None
    match document:
        case {"id": str(), "role": str(), "parts": list(parts)} if all(map(_is_part, parts)):
            return {**document}
    return None


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str)


def _chunks(piece: Mapping[str, Any] | str) -> Iterator[dict[str, Any]]:
    if not isinstance(piece, str):
        yield {**piece}
        return
    for line in piece.split("\n"):  # not splitlines: JSON may contain other separators of lines
        name, _, data = line.partition(":")
        if name == "data" and data.strip() != DONE:
            yield json.loads(data)
