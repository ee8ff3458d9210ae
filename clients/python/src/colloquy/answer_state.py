"""What the answers of both clients have: the message, what is not sent yet, and the operations that send it."""

from typing import Any, Literal

from colloquy.errors import BadInput, IllegalTransition
from colloquy.operation import UNSET, JSONObject, Operation, Unset
from colloquy.operations.streaming_message import extend_message, finish_message
from colloquy.results import Message, StartedMessage, TokenUsage


class Stopped(Exception):
    """Another client has cancelled the message. The block of the answer ends without an error."""


class AnswerState:
    """A streaming message that this program writes.

    - `message`: the message as the server returned it last, and as it ended after the block
    - `existing_text`: the text of an earlier producer with the same key; new text follows it
    - `existing_parts`: the same for a message of parts
    - `stopped`: True if another client has cancelled the message
    - `raw`, `usage`, `metadata`: set them to send them with the end; `raw` replaces what was written
    """

    def __init__(self, started: StartedMessage) -> None:
        self.message: Message = started.message
        self.existing_text = started.message.text
        self.existing_parts = started.message.parts or ()
        self.stopped = False
        self.raw: str | None = None
        self.usage: TokenUsage | None = None
        self.metadata: JSONObject | Unset = UNSET
        self._fence = started.fence
        self._is_text = started.message.parts is None
        self._offset = len(self.existing_text if self._is_text else self.existing_parts)
        self._buffer: list[Any] = []

    def _check_kind(self, *, is_text: bool) -> None:
        if is_text is not self._is_text:
            raise BadInput(f"This message consists of {'text' if self._is_text else 'parts'}.")

    def _take(self) -> Any:
        """What was written since the last call: a text, or a list of parts."""
        pieces, self._buffer = self._buffer, []
        return "".join(pieces) if self._is_text else pieces

    def _extension(self, piece: Any) -> Operation[None]:
        content: dict[str, Any] = {"text": piece} if self._is_text else {"parts": piece}
        return extend_message(self.message.id, self._fence, self._offset, **content)

    def _end(self, status: Literal["COMPLETE", "FAILED"]) -> Operation[Message]:
        return finish_message(
            self.message.id, self._fence, status, raw=self.raw, usage=self.usage, metadata=self.metadata
        )


def stopped_if_cancelled(error: IllegalTransition, status: str) -> Exception:
    """Returns what a refused write raises: Stopped if the message was cancelled."""
    return Stopped() if status == "CANCELLED" else error
