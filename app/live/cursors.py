"""Positions in streams of events, as clients carry them: opaque to them, parsed strictly."""

import re
from dataclasses import dataclass

_NUMBER = "(0|[1-9][0-9]{0,17})"
_POSITION = re.compile(rf"e\.([0-9a-f-]{{36}})\.{_NUMBER}(?:\.{_NUMBER})?")
_HORIZON = re.compile(r"v\.([0-9]{1,20})\.([0-9]{1,20})\.([0-9]{1,12})")


@dataclass(frozen=True, slots=True)
class Position:
    """A reader of a session that has seen `number`; `base` < `number` only inside a replay that began there.

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
        found = _POSITION.fullmatch(cursor)
        if not found:
            return None
        number = int(found[2])
        return cls(found[1], number, int(found[3] or number))


@dataclass(frozen=True, slots=True)
class Horizon:
    """A reader of all that is an owner's: every transaction below `xid` is behind it.

    Transactions are numbered by one cluster, `epoch`; `at` is when the horizon was read, in unix seconds.
    """

    epoch: int
    xid: int
    at: int

    def __str__(self) -> str:
        return f"v.{self.epoch}.{self.xid}.{self.at}"

    @classmethod
    def parse(cls, cursor: str) -> "Horizon | None":
        """None for what is not an event cursor of a viewer."""
        found = _HORIZON.fullmatch(cursor)
        return cls(*(int(part) for part in found.groups())) if found else None
