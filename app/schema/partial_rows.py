"""Which fields a light row answers; an operation that asks for no others reads no whole ones."""

from functools import lru_cache
from typing import NamedTuple

from app.db.reading.partial_rows import PartialRows
from app.db.reading.rows import AgentRow, Entity, MessageRow, SessionAgentRow, SessionRow


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


@lru_cache(maxsize=1024)
def columns_for(selected: frozenset[tuple[str, str]]) -> PartialRows:
    """What suffices for an operation that selects these fields, as (type, field)."""
    asked: dict[str, set[str]] = {name: set() for name in TYPES}
    for type_, field in selected:
        if type_ in asked:
            asked[type_].add(field)
    rows = frozenset(TYPES[name].row for name, fields in asked.items() if fields - {"__typename"} <= TYPES[name].fields)
    return PartialRows(rows, ("SessionAgent", "agent") in selected and {SessionAgentRow, AgentRow} <= rows)
