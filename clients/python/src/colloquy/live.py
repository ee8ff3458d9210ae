"""The events of `AsyncClient.events` and `AsyncClient.viewer_events`."""

from dataclasses import dataclass
from typing import Any, Literal

from colloquy.results import Approval, Message, Record, Session, SessionAgent, Task


@dataclass(frozen=True, slots=True)
class Event:
    """One change. A subscription after its `cursor` continues with the next change."""

    cursor: str


@dataclass(frozen=True, slots=True)
class MessageAdded(Event):
    """A message was added."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageDelta(Event):
    """A streaming message has grown: its text is its first `offset` code points, followed by `text`."""

    message_id: str
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class MessagePartsDelta(Event):
    """A streaming message has got parts: its parts are its first `offset` parts, followed by `parts`."""

    message_id: str
    offset: int
    parts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class MessageChanged(Event):
    """A message was changed."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageRemoved(Event):
    """A message was deleted."""

    message_id: str


@dataclass(frozen=True, slots=True)
class SessionChanged(Event):
    """A session's own fields were changed."""

    session: Session


@dataclass(frozen=True, slots=True)
class SessionRemoved(Event):
    """A session was erased; its subscription ends."""

    session_id: str


@dataclass(frozen=True, slots=True)
class SessionAgentChanged(Event):
    """A session agent was added or changed."""

    session_agent: SessionAgent


@dataclass(frozen=True, slots=True)
class TaskChanged(Event):
    """A task was added or changed."""

    task: Task


@dataclass(frozen=True, slots=True)
class ApprovalChanged(Event):
    """An approval was added or changed."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class RecordChanged(Event):
    """A record in a namespace whose first label is `live` was put, or is absent now: `record` is None.

    After SessionRemoved its records are absent without this event: read them again.
    """

    namespace: tuple[str, ...]
    key: str
    record: Record | None


@dataclass(frozen=True, slots=True)
class CaughtUp(Event):
    """All earlier changes have been delivered; the events from here on are live."""


@dataclass(frozen=True, slots=True)
class StreamReset(Event):
    """The server cannot resume from the cursor. Query again what you display; events continue from now."""

    reason: Literal["CURSOR_UNKNOWN", "CURSOR_FROM_THE_FUTURE"]


EVENT_TYPES: dict[str, type[Event]] = {event_type.__name__: event_type for event_type in Event.__subclasses__()}
