"""What a message format is: how one producer writes answers, messages, their parts and token usage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.documents.blocks import Block

JsonObject = dict[str, Any]
EnvelopeReader = Callable[[JsonObject], Any | None]
MessageReader = Callable[[JsonObject], list[Any] | None]
PartReader = Callable[[JsonObject], list[Block] | None]
UsageReader = Callable[[Any], dict[str, int] | None]


@dataclass(frozen=True, kw_only=True)
class MessageFormat:
    """One producer's way to write messages: functions, each under the key or type that announces its shape.

    A function returns None for a shape that is not its own. Documents are parsed JSON of any shape, so none may raise.
    """

    envelopes: Mapping[str, EnvelopeReader] = field(default_factory=dict)
    """By a key of an answer or of a framework's record: the message inside, or the list of messages and parts."""

    messages: Mapping[str, MessageReader] = field(default_factory=dict)
    """By a key of a message: its contents in their order, each a text, a part, a list of parts, or None."""

    types: Mapping[str, PartReader] = field(default_factory=dict)
    """By the `type` of a part: its blocks. `*` at the start or end of a name stands for any text."""

    keys: Mapping[str, PartReader] = field(default_factory=dict)
    """By a key of a part without `type`: its blocks."""

    nested: Mapping[str, MessageReader] = field(default_factory=dict)
    """By the `type` of a part: the parts inside it."""

    usages: Mapping[str, UsageReader] = field(default_factory=dict)
    """By a key of an answer or message: the token usage that its value reports, by column."""


def texts(pieces: Any) -> list[str]:
    """The `text` of each piece of a list that has one."""
    if not isinstance(pieces, list):
        return []
    return [piece["text"] for piece in pieces if isinstance(piece, dict) and isinstance(piece.get("text"), str)]


def items(value: Any) -> list[Any]:
    """The value if it is a list, otherwise an empty list."""
    return value if isinstance(value, list) else []


def member(value: Any, key: str) -> Any:
    """The value under a key of an object; None if it is no object, or has no such key."""
    return value.get(key) if isinstance(value, dict) else None
