"""Tables and statements, a file per noun; nothing else of the program knows SQL."""

from app.db import (
    agent,
    append,
    approval,
    audit,
    feed,
    idempotency,
    message,
    search,
    session,
    session_agent,
    stats,
    stream,
    task,
)

__all__ = [
    "agent",
    "append",
    "approval",
    "audit",
    "feed",
    "idempotency",
    "message",
    "search",
    "session",
    "session_agent",
    "stats",
    "stream",
    "task",
]
