"""Conversation stores of new owners, for tests that run in the environment of pydantic-ai."""

import os
import time
from uuid import uuid4

import jwt
from colloquy.pydantic_ai import ColloquyConversationStore

URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]


def token(owner: str) -> str:
    """A token of this owner."""
    now = int(time.time())
    return jwt.encode({"sub": owner, "iat": now, "exp": now + 3600}, SECRET, "HS256")


def new_owner() -> str:
    return f"pydantic-ai-{uuid4().hex}"


def store(owner: str, url: str = URL, **options) -> ColloquyConversationStore:
    """The store of this owner."""
    return ColloquyConversationStore(url, token(owner), **options)
