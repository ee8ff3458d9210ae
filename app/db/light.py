"""Light rows: what lists show of a thing. Most reads ask for no more, and a whole row costs twice as much.

Their times are text, as clients get it.
"""

from functools import lru_cache
from typing import NamedTuple

from app.db.rows import AgentRow, Entity, MessageRow, SessionAgentRow, SessionRow

ADDED = {"cursor", "parent"}
MESSAGE = ADDED | {"session_id", "sequence", "key", "agent_key", "role", "status", "text", "created_at"}
SESSION = ADDED | {
    *("id", "key", "title", "status", "agent_type", "head"),
    *("message_count", "unread_count", "last_read_sequence", "last_activity_at"),
}
PART = ADDED | {"session_id", "kind", "key", "agent_id"}
AGENT = ADDED | {"id", "key", "name", "type", "status"}


class Answers(NamedTuple):
    """The fields of a public type that need nothing but its light row."""

    row: type[Entity]
    fields: set[str]


TYPES = {
    "Message": Answers(
        MessageRow,
        {"id", "key", "sequence", "role", "status", "text", "createdAt", "session", "agent", "approvals"},
    ),
    "Session": Answers(
        SessionRow,
        {
            *("id", "key", "title", "status", "agentType", "lastActivityAt", "eventCursor", "streaming"),
            *("messageCount", "unreadCount", "lastReadSequence", "pendingApprovalCount"),
            *("lastMessage", "message", "messages", "agent", "agents", "tasks", "approvals"),
        },
    ),
    "SessionAgent": Answers(SessionAgentRow, {"id", "key", "kind", "agent", "session", "messages"}),
    "Agent": Answers(AgentRow, {"id", "key", "name", "type", "status", "metrics", "sessions"}),
}


class Light(NamedTuple):
    """Which rows may be light in an operation, and whether it goes from agents' parts on to the catalogue."""

    rows: frozenset[type[Entity]] = frozenset()
    joined: bool = False


WHOLE = Light()


@lru_cache(maxsize=1024)
def light(selected: frozenset[tuple[str, str]]) -> Light:
    """What suffices for an operation that selects these fields, as (type, field)."""
    asked: dict[str, set[str]] = {name: set() for name in TYPES}
    for type_, field in selected:
        if type_ in asked:
            asked[type_].add(field)
    rows = frozenset(TYPES[name].row for name, fields in asked.items() if fields - {"__typename"} <= TYPES[name].fields)
    return Light(rows, ("SessionAgent", "agent") in selected and {SessionAgentRow, AgentRow} <= rows)
