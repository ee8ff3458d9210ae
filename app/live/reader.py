"""What a stream of events is read by: the rows after a place, in batches. The rows are the log (invariant 3)."""

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from app.live.events import Event, Reset

BATCH = 100


class Place(Protocol):
    """Where a reader is."""

    @property
    def cursor(self) -> str:
        """Where a client goes on from here."""

    def meets(self, other: Any, /) -> bool:
        """Whether who is here has been told all that a reader at `other` has, and will be told the rest with it."""


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, slots=True)
class Batch(Generic[P]):
    """What came after a place, and the place after that. `more`: look again at once; `over`: nothing will follow."""

    events: list[Event]
    place: P
    more: bool = False
    over: bool = False


class Reader(Protocol[P]):
    """Reads one subject: a session, or all of an owner."""

    pause: float
    """Seconds between two looks at the same subject, for everybody who follows it."""

    async def begin(self, after: str | None) -> tuple[P, Reset | None]:
        """Where a client with this cursor begins, and why not where it asked to. Raises Absent."""

    async def read(self, place: P) -> Batch[P]:
        """The changed things after a place, in their newest state."""

    async def complete(self, place: P) -> Batch[P]:
        """What a client must have been told besides before it has caught up."""

    def has_told(self, place: P, number: int) -> bool:
        """Whether a reader at this place need not look for a change of this number."""
