"""Light rows: what lists show of a thing. Most reads ask for no more, and a whole row costs twice as much.

Their times are text, as clients get it. Which fields of the public face they suffice for, `schema/light.py` says.
"""

from typing import NamedTuple

from app.db.reading.rows import Entity

ADDED = {"cursor", "parent"}
MESSAGE = ADDED | {"session_id", "sequence", "key", "agent_key", "role", "status", "text", "created_at"}
SESSION = ADDED | {
    *("id", "key", "title", "status", "agent_type", "head"),
    *("message_count", "unread_count", "last_read_sequence", "last_activity_at"),
}
PART = ADDED | {"session_id", "kind", "key", "agent_id"}
AGENT = ADDED | {"id", "key", "name", "type", "status"}


class PartialRows(NamedTuple):
    """Which rows may be light in an operation, and whether it goes from agents' parts on to the catalogue."""

    rows: frozenset[type[Entity]] = frozenset()
    joined: bool = False


FULL = PartialRows()
