"""Operations of streaming messages: those that clients read while a producer writes them."""

from collections.abc import Sequence
from typing import Any, Literal

from colloquy import graphql_documents as documents
from colloquy.decoding import decode
from colloquy.operation import UNSET, JSONObject, Operation, Unset, mutation
from colloquy.results import Message, MessageRole, PartsFormat, StartedMessage, TokenUsage


def start_message(
    session_id: str,
    role: MessageRole = "ASSISTANT",
    *,
    key: str | None = None,
    agent_key: str | None = None,
    metadata: JSONObject | Unset = UNSET,
    parts_format: PartsFormat | None = None,
    idempotency_key: str | None = None,
) -> Operation[StartedMessage]:
    """Starts a streaming message. Returns it with the fence that its producer sends.

    With a `parts_format` it consists of parts instead of text: chunks of AI SDK, events of AG-UI, or any JSON values.

    A message with this `key` that is still streaming is taken over: it gets a new fence, and the producer before gets
    Fenced. Raises Conflict if the message with this key has ended.
    """
    fields = {"sessionId": session_id, "role": role, "key": key, "agentKey": agent_key, "metadata": metadata}
    document = documents.START_MESSAGE
    if parts_format is not None:
        fields |= {"stream": "PARTS", "partsFormat": parts_format}
        document = documents.START_MESSAGE_IN_PARTS
    return mutation(document, fields, lambda payload: decode(StartedMessage, payload), idempotency_key, bool(key))


def extend_message(
    id: str, fence: str, offset: int, text: str = "", *, parts: Sequence[Any] | Unset = UNSET
) -> Operation[None]:
    """Writes text from `offset` (in code points) on, or parts from `offset` (in parts) on.

    What the message already has is not repeated. An empty text without parts keeps the message alive. Raises Fenced
    after another producer has taken the message over, OffsetMismatch for a gap, IllegalTransition after the message has
    ended.
    """
    fields = {"id": id, "fence": fence, "offset": offset, "text": text, "parts": parts}
    return mutation(documents.EXTEND_MESSAGE, fields, lambda _payload: None, repeatable=True)


def finish_message(
    id: str,
    fence: str,
    status: Literal["COMPLETE", "FAILED"] = "COMPLETE",
    *,
    raw: str | None = None,
    usage: TokenUsage | None = None,
    metadata: JSONObject | Unset = UNSET,
) -> Operation[Message]:
    """Ends a streaming message and returns it; `raw` replaces the text or the parts that were written.

    Raises Fenced, and IllegalTransition after the message has ended with another status.
    """
    counts = usage and {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
    }
    fields = {"id": id, "fence": fence, "status": status, "raw": raw, "usage": counts, "metadata": metadata}
    return mutation(documents.FINISH_MESSAGE, fields, _message, repeatable=True)


def cancel_message(id: str) -> Operation[Message]:
    """Cancels a streaming message and returns it; its producer's next `extend_message` raises IllegalTransition."""
    return mutation(documents.CANCEL_MESSAGE, {"id": id}, _message, repeatable=True)


def _message(payload: JSONObject) -> Message:
    return decode(Message, payload["message"])
