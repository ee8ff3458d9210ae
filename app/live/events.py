"""What a feed tells: an event, and the position of its reader after it."""

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """What an event tells."""

    MESSAGE_ADDED = "MessageAdded"
    MESSAGE_DELTA = "MessageDelta"
    MESSAGE_CHANGED = "MessageChanged"
    MESSAGE_REMOVED = "MessageRemoved"
    SESSION_CHANGED = "SessionChanged"
    SESSION_REMOVED = "SessionRemoved"
    SESSION_AGENT_CHANGED = "SessionAgentChanged"
    TASK_CHANGED = "TaskChanged"
    APPROVAL_CHANGED = "ApprovalChanged"
    CAUGHT_UP = "CaughtUp"
    STREAM_RESET = "StreamReset"


class Reset(Enum):
    """Why a cursor could not be honoured."""

    CURSOR_UNKNOWN = "CURSOR_UNKNOWN"
    CURSOR_FROM_THE_FUTURE = "CURSOR_FROM_THE_FUTURE"


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and the cursor after it; `thing` is the row it tells of, a delta, or the reason of a reset."""

    kind: Kind
    cursor: str
    thing: Any = None


@dataclass(frozen=True, slots=True)
class Delta:
    """The text of a streaming message from `offset` (in code points) on."""

    session_id: str
    sequence: int
    offset: int
    text: str
