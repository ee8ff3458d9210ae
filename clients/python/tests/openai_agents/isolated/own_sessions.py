"""Sessions of new owners, for tests that run in the environment of openai-agents."""

import os
import time
from uuid import uuid4

import jwt
from colloquy.openai_agents import ColloquySession

URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]


def token(owner: str) -> str:
    """A token of this owner."""
    now = int(time.time())
    return jwt.encode({"sub": owner, "iat": now, "exp": now + 3600}, SECRET, "HS256")


def new_owner() -> str:
    return f"openai-agents-{uuid4().hex}"


def session(session_id: str, owner: str | None = None, **options) -> ColloquySession:
    """The session of this owner, or of a new owner."""
    return ColloquySession(session_id, URL, token(owner or new_owner()), **options)
