"""Event cursors: opaque to clients, parsed strictly."""

import re
from dataclasses import dataclass

_NUMBER = "(0|[1-9][0-9]{0,17})"
_SESSION_CURSOR = re.compile(rf"e\.([0-9a-f-]{{36}})\.{_NUMBER}(?:\.{_NUMBER})?")
_VIEWER_CURSOR = re.compile(r"v\.([0-9]{1,20})\.([0-9]{1,20})\.([0-9]{1,12})")


@dataclass(frozen=True, slots=True)
class SessionCursor:
    """After all changes of a session up to `revision`, which counts every change in it.

    Inside a replay `base` is the revision where the replay began, otherwise it equals `revision`. A message created
    after `base` is new to this client, even if an edit has moved it behind other changes of the replay.
    """

    session_id: str
    revision: int
    base: int

    def __str__(self) -> str:
        replaying = "" if self.base == self.revision else f".{self.base}"
        return f"e.{self.session_id}.{self.revision}{replaying}"

    @classmethod
    def at(cls, session_id: str, revision: int) -> "SessionCursor":
        """After all changes up to `revision`, outside of a replay."""
        return cls(session_id, revision, revision)

    @classmethod
    def parse(cls, text: str) -> "SessionCursor | None":
        """None if the text is not an event cursor of a session."""
        found = _SESSION_CURSOR.fullmatch(text)
        if not found:
            return None
        revision = int(found[2])
        return cls(found[1], revision, int(found[3] or revision))


@dataclass(frozen=True, slots=True)
class ViewerCursor:
    """After all changes by transactions below `xid`, the horizon: each of them had ended at unix second `at`.

    `epoch` identifies the PostgreSQL cluster and its timeline, because each counts its own transactions.
    """

    epoch: int
    xid: int
    at: int

    def __str__(self) -> str:
        return f"v.{self.epoch}.{self.xid}.{self.at}"

    @classmethod
    def parse(cls, text: str) -> "ViewerCursor | None":
        """None if the text is not an event cursor of a viewer."""
        found = _VIEWER_CURSOR.fullmatch(text)
        return cls(*(int(part) for part in found.groups())) if found else None
