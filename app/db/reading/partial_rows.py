"""Partial rows: the columns that lists need. Most reads need no more, and a full row costs twice as much.

The times in a partial row are text, in the format that clients receive. `app/schema/partial_rows.py` has the fields
that these columns serve.
"""

from typing import NamedTuple

from app.db.reading.rows import Entity

ADDED = {"cursor", "parent"}
MESSAGE = ADDED | {"session_id", "sequence", "key", "agent_key", "role", "status", "text", "created_at"}
SESSION = ADDED | {
    *("id", "key", "title", "status", "agent_type", "head"),
    *("message_count", "unread_count", "last_read_sequence", "last_activity_at", "postgres_started"),
}
SESSION_AGENT = ADDED | {"session_id", "kind", "key", "agent_id"}
AGENT = ADDED | {"id", "key", "name", "type", "status"}


class PartialRows(NamedTuple):
    """The classes of rows that may be partial in an operation.

    `joined`: the operation reads the catalogue's agents of session agents, so one statement reads both. `last_joined`:
    it reads them for the last messages of sessions, so one statement reads all three, and in a list the sessions too.
    `session_joined`: it reads them for the messages of a session, so the statement of the session reads both.
    """

    rows: frozenset[type[Entity]] = frozenset()
    joined: bool = False
    last_joined: bool = False
    session_joined: bool = False


FULL = PartialRows()
