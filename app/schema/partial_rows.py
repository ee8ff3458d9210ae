"""Partial rows: which fields of the public types need no more columns than lists read.

`app/db/reading/partial_rows.py` has the columns. A field that needs another column must not stand here.
"""

from functools import lru_cache
from typing import NamedTuple

from app.db.reading.partial_rows import PartialRows
from app.db.reading.rows import AgentRow, Entity, MessageRow, SessionAgentRow, SessionRow


class PartialType(NamedTuple):
    """The row of a public type, and the fields for which a partial row is enough."""

    row: type[Entity]
    fields: set[str]


TYPES = {
    "Message": PartialType(
        MessageRow,
        {"id", "key", "sequence", "role", "status", "text", "createdAt", "session", "agent", "approvals"},
    ),
    "Session": PartialType(
        SessionRow,
        {
            *("id", "key", "title", "status", "agentType", "lastActivityAt", "eventCursor", "streaming"),
            *("messageCount", "unreadCount", "lastReadSequence", "pendingApprovalCount"),
            *("lastMessage", "message", "messages", "agent", "agents", "tasks", "approvals"),
        },
    ),
    "SessionAgent": PartialType(SessionAgentRow, {"id", "key", "kind", "agent", "session", "messages"}),
    "Agent": PartialType(AgentRow, {"id", "key", "name", "type", "status", "metrics", "sessions"}),
}


@lru_cache(maxsize=1024)
def columns_for(selected: frozenset[tuple[str, str]]) -> PartialRows:
    """The rows that may be partial in an operation that selects these fields, as (type, field)."""
    fields: dict[str, set[str]] = {name: {"__typename"} for name in TYPES}
    for type_name, field in selected:
        if type_name in fields:
            fields[type_name].add(field)
    rows = frozenset(kind.row for name, kind in TYPES.items() if fields[name] <= kind.fields | {"__typename"})
    joined = ("SessionAgent", "agent") in selected and {SessionAgentRow, AgentRow} <= rows
    of_messages = joined and SessionRow in rows and ("Message", "agent") in selected
    last_joined = of_messages and MessageRow in rows and ("Session", "lastMessage") in selected
    session_joined = of_messages and {("Query", "session"), ("Session", "messages")} <= selected
    return PartialRows(rows, joined, last_joined, session_joined)
