"""Session stores of new owners, for tests that run in the environment of claude-agent-sdk."""

import os
import time
from uuid import uuid4

import jwt
from colloquy.claude_agent_sdk import ColloquySessionStore

URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]


def token(owner: str) -> str:
    """A token of this owner."""
    now = int(time.time())
    return jwt.encode({"sub": owner, "iat": now, "exp": now + 3600}, SECRET, "HS256")


def new_owner() -> str:
    return f"claude-{uuid4().hex}"


def store(owner: str | None = None) -> ColloquySessionStore:
    """The store of this owner, or of a new owner."""
    return ColloquySessionStore(URL, token(owner or new_owner()))
