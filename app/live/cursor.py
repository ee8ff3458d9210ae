"""Positions in a session's events: the last number seen, and since which number all is new to the reader."""

import re
from dataclasses import dataclass

_FORM = re.compile(r"e\.([0-9a-f-]{36})\.(0|[1-9][0-9]{0,17})(?:\.(0|[1-9][0-9]{0,17}))?")


@dataclass(frozen=True, slots=True)
class Position:
    """A reader that has seen `number`; `base` < `number` only inside a replay that began there.

    A thing made after `base` is new to the reader even if its number moved past others in the replay.
    """

    session_id: str
    number: int
    base: int

    def __str__(self) -> str:
        replaying = "" if self.base == self.number else f".{self.base}"
        return f"e.{self.session_id}.{self.number}{replaying}"

    @classmethod
    def at(cls, session_id: str, number: int) -> "Position":
        """Of a reader that has seen all up to `number`."""
        return cls(session_id, number, number)

    @classmethod
    def parse(cls, cursor: str) -> "Position | None":
        """None for what is not an event cursor of a session."""
        found = _FORM.fullmatch(cursor)
        if not found:
            return None
        number = int(found[2])
        return cls(found[1], number, int(found[3] or number))
