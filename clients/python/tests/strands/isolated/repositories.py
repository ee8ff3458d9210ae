"""Repositories and storages of new owners, for tests that run in the environment of strands-agents."""

import os
import time
from uuid import uuid4

import jwt
from colloquy.strands import ColloquySessionRepository, ColloquyStorage

URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]


def token(owner: str) -> str:
    """A token of this owner."""
    now = int(time.time())
    return jwt.encode({"sub": owner, "iat": now, "exp": now + 3600}, SECRET, "HS256")


def repository(owner: str | None = None) -> ColloquySessionRepository:
    """The repository of this owner, or of a new owner."""
    return ColloquySessionRepository(URL, token(owner or f"strands-{uuid4().hex}"))


def storage(owner: str | None = None) -> ColloquyStorage:
    """The storage of this owner, or of a new owner."""
    return ColloquyStorage(URL, token(owner or f"strands-{uuid4().hex}"))
