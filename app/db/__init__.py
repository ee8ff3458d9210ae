"""Tables and statements, a file per noun; nothing else of the program knows SQL."""

from app.db import agent, append, audit, feed, idempotency, message, session, session_agent, stats

__all__ = ["agent", "append", "audit", "feed", "idempotency", "message", "session", "session_agent", "stats"]
