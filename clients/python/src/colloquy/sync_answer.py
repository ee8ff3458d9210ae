"""`Client.answer`: as `AsyncClient.answer`, with a thread that sends what was written."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from threading import Event, Lock
from typing import Any

from colloquy.answer_state import AnswerState, Stopped, stopped_if_cancelled
from colloquy.errors import ColloquyError, IllegalTransition
from colloquy.methods import Runner
from colloquy.operation import Operation
from colloquy.operations.streaming_message import cancel_message
from colloquy.results import StartedMessage


class SyncAnswer(AnswerState):
    """An answer of the blocking client, with the attributes of AnswerState."""

    def __init__(self, client: Runner, started: StartedMessage, pause: float, keep_alive: float) -> None:
        super().__init__(started)
        self._client, self._pause, self._keep_alive = client, pause, keep_alive
        self._lock, self._wake, self._ending = Lock(), Event(), Event()
        executor = ThreadPoolExecutor(1, "colloquy-answer")
        self._sender = executor.submit(copy_context().run, self._send_in_background)
        executor.shutdown(wait=False)

    def write(self, text: str) -> None:
        """Adds text to the message; a background thread sends it.

        Raises Stopped after another client has cancelled the message, the ColloquyError of an earlier text that could
        not be sent, and BadInput if the message consists of parts.
        """
        self._add([text] if text else [], is_text=True)

    def write_parts(self, *parts: Any) -> None:
        """Adds parts, JSON values, to a message that was started with a `parts_format`. Raises as `write`."""
        self._add([*parts], is_text=False)

    def finish(self) -> None:
        """Sends the rest and completes the message. The end of the block does the same."""
        self._flush()
        try:
            self.message = self._client.run(self._end("COMPLETE"))
        except IllegalTransition as error:
            raise stopped_if_cancelled(error, error.from_status) from None

    def fail(self) -> None:
        """Sends the rest if possible and fails the message."""
        with suppress(ColloquyError, Stopped):
            self._flush()
        self.message = self._client.run(self._end("FAILED"))

    def cancel(self) -> None:
        """Sends the rest if possible and cancels the message."""
        with suppress(ColloquyError, Stopped):
            self._flush()
        self.message = self._client.run(cancel_message(self.message.id))

    def close(self) -> None:
        """Ends the background thread; the message is left as it is."""
        self._ending.set()
        self._wake.set()

    def _add(self, pieces: list[Any], *, is_text: bool) -> None:
        self._check_kind(is_text=is_text)
        if self._sender.done():
            self._flush()
        if pieces:
            with self._lock:
                self._buffer += pieces
            self._wake.set()

    def _flush(self) -> None:
        """Waits until the background thread has sent everything, and raises what it raised."""
        self.close()
        try:
            self._sender.result()
        except IllegalTransition as error:
            raise stopped_if_cancelled(error, error.to_status) from None

    def _send_in_background(self) -> None:
        while not self._ending.is_set() or self._buffer:
            self._wake.wait(self._keep_alive)
            self._wake.clear()
            with self._lock:
                piece = self._take()
            if piece or not self._ending.is_set():  # an empty piece keeps the message alive
                self._client.run(self._extension(piece))
                self._offset += len(piece)
                self._ending.wait(self._pause)  # texts written meanwhile go out together


@contextmanager
def answering(
    client: Runner, start: Operation[StartedMessage], pause: float, keep_alive: float
) -> Iterator[SyncAnswer]:
    """The context of an answer: COMPLETE at its end, FAILED after an exception, CANCELLED after an interrupt."""
    answer = SyncAnswer(client, client.run(start), pause, keep_alive)
    try:
        yield answer
        answer.finish()
    except Stopped:
        answer.stopped = True
        answer.cancel()
    except Exception:
        _attempt(answer.fail)
        raise
    except BaseException:
        _attempt(answer.cancel)
        raise
    finally:
        answer.close()


def _attempt(request: Callable[[], None]) -> None:
    """Sends the last request. Its failure is dropped: the exception that ended the block is the one to raise."""
    with suppress(ColloquyError, Stopped):
        request()
