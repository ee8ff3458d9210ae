"""Calls about messages that are written while they are read."""

from collections.abc import Mapping
from typing import Any, Literal

from colloquy import documents
from colloquy.call import UNSET, Call, Given, Unset, mutation
from colloquy.reading import read
from colloquy.results import Message, MessageRole, Started, TokenUsage


def start_message(
    session_id: str,
    role: MessageRole = "ASSISTANT",
    *,
    key: str | None = None,
    agent_key: str | None = None,
    metadata: Given | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Call[Started]:
    """A message to write, and the fence of who writes it; one still under way with this key is taken over."""
    fields = {"sessionId": session_id, "role": role, "key": key, "agentKey": agent_key, "metadata": metadata}
    return mutation(documents.START_MESSAGE, fields, lambda payload: read(Started, payload), idempotency_key, bool(key))


def extend_message(id: str, fence: str, offset: int, text: str) -> Call[None]:
    """The text, from `offset` (code points) on; what is there already is not written twice. Empty: still there."""
    fields = {"id": id, "fence": fence, "offset": offset, "text": text}
    return mutation(documents.EXTEND_MESSAGE, fields, lambda _payload: None, repeatable=True)


def finish_message(
    id: str,
    fence: str,
    status: Literal["COMPLETE", "FAILED"] = "COMPLETE",
    *,
    raw: str | None = None,
    usage: TokenUsage | None = None,
    metadata: Given | Unset = UNSET,
) -> Call[Message]:
    """The message, whole: as it was written, or as its document `raw` says. The same end twice is one."""
    counts = usage and {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
    }
    fields = {"id": id, "fence": fence, "status": status, "raw": raw, "usage": counts, "metadata": metadata}
    return mutation(documents.FINISH_MESSAGE, fields, _message, repeatable=True)


def cancel_message(id: str) -> Call[Message]:
    """The message as far as it was written; its producer hears of it with its next text."""
    return mutation(documents.CANCEL_MESSAGE, {"id": id}, _message, repeatable=True)


def _message(payload: Mapping[str, Any]) -> Message:
    return read(Message, payload["message"])
