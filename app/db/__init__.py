"""Tables and statements, a file per noun; nothing else of the program knows SQL."""

from app.db import (
    agent,
    append,
    approval,
    audit,
    idempotency,
    message,
    search,
    session,
    session_agent,
    session_changes,
    stats,
    streaming_message,
    task,
)

__all__ = [
    "agent",
    "append",
    "approval",
    "audit",
    "idempotency",
    "message",
    "search",
    "session",
    "session_agent",
    "session_changes",
    "stats",
    "streaming_message",
    "task",
]
