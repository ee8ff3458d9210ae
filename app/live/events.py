"""Live events before they become types of the GraphQL schema."""

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """The event's type in the schema."""

    MESSAGE_ADDED = "MessageAdded"
    MESSAGE_DELTA = "MessageDelta"
    MESSAGE_PARTS_DELTA = "MessagePartsDelta"
    MESSAGE_CHANGED = "MessageChanged"
    MESSAGE_REMOVED = "MessageRemoved"
    SESSION_CHANGED = "SessionChanged"
    SESSION_REMOVED = "SessionRemoved"
    SESSION_AGENT_CHANGED = "SessionAgentChanged"
    TASK_CHANGED = "TaskChanged"
    APPROVAL_CHANGED = "ApprovalChanged"
    RECORD_CHANGED = "RecordChanged"
    CAUGHT_UP = "CaughtUp"
    STREAM_RESET = "StreamReset"


class ResetReason(Enum):
    """Why a subscription cannot start at the client's cursor."""

    CURSOR_UNKNOWN = "CURSOR_UNKNOWN"
    CURSOR_FROM_THE_FUTURE = "CURSOR_FROM_THE_FUTURE"


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and the cursor after it.

    `data` is the changed row, a TextDelta for MESSAGE_DELTA, a PartsDelta for MESSAGE_PARTS_DELTA, a ResetReason for
    STREAM_RESET, None for CAUGHT_UP.
    """

    kind: Kind
    cursor: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text that was added to a streaming message at `offset`, in code points."""

    session_id: str
    sequence: int
    offset: int
    text: str

    @property
    def end(self) -> int:
        """The length of the text with the delta."""
        return self.offset + len(self.text)


@dataclass(frozen=True, slots=True)
class PartsDelta:
    """Parts that were added to a streaming message at `offset`, in parts; each is a JSON text."""

    session_id: str
    sequence: int
    offset: int
    parts: list[str]

    @property
    def end(self) -> int:
        """The number of parts with the delta."""
        return self.offset + len(self.parts)
