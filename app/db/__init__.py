"""Tables and statements, a file per noun; nothing else of the program knows SQL."""

from app.db import agent, audit, feed, idempotency, message, session, session_agent, stats

__all__ = ["agent", "audit", "feed", "idempotency", "message", "session", "session_agent", "stats"]
