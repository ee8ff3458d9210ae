"""Tables and statements, a file per noun; nothing else of the program knows SQL."""

from app.db import agent, feed, message, session, session_agent

__all__ = ["agent", "feed", "message", "session", "session_agent"]
