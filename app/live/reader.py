"""The interface of readers: they read the changes of one subject after a position, in batches, from the rows."""

from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from app.live.events import Event, ResetReason


class Position(Protocol):
    """How far a client's events have been read."""

    @property
    def cursor(self) -> str:
        """The cursor from which a client resumes at this position."""

    def can_join(self, other: Any, /) -> bool:
        """True if a reader here can join one at `other` without missing events."""


P = TypeVar("P", bound=Position)


class Start(NamedTuple, Generic[P]):
    """Where a subscription starts.

    `reset` is why not at its client's cursor. `behind`: something may follow the position; otherwise it has caught up.
    """

    position: P
    reset: ResetReason | None = None
    behind: bool = True


@dataclass(frozen=True, slots=True)
class Batch(Generic[P]):
    """The events after a position, and the position after them.

    `more`: further events wait to be read. `ended`: no event will follow.
    """

    events: list[Event]
    position: P
    more: bool = False
    ended: bool = False


class Reader(Protocol[P]):
    """Reads the events of one session, or of everything that belongs to one owner."""

    min_interval: float
    """Seconds between two reads of a channel."""

    async def start(self, after: str | None) -> Start[P]:
        """The position of a cursor, or the newest position if the cursor cannot be used. Raises Absent."""

    async def read(self, position: P) -> Batch[P]:
        """What has changed after a position, each thing once and in its newest state."""

    async def finish_replay(self, position: P) -> Batch[P]:
        """Further events that a client needs before CaughtUp."""

    def has_delivered(self, position: P, revision: int) -> bool:
        """True if a reader at `position` need not read for a change up to `revision`."""
