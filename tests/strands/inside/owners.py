"""Repositories of owners nobody has met, for tests that run in the peer's environment."""

import os
import time
from uuid import uuid4

import jwt

from colloquy.strands import ColloquySessionRepository

URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]


def repository(owner: str | None = None) -> ColloquySessionRepository:
    """The repository of this owner, or of a new one."""
    now = int(time.time())
    claims = {"sub": owner or f"strands-{uuid4().hex}", "iat": now, "exp": now + 3600}
    return ColloquySessionRepository(URL, jwt.encode(claims, SECRET, "HS256"))
