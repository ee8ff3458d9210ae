"""Stores of new owners, for tests that run in the environment of langgraph."""

import os
import time
from uuid import uuid4

import jwt
from colloquy.langgraph import ColloquySaver, ColloquyStore

URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]


def token(owner: str) -> str:
    """A token of this owner."""
    now = int(time.time())
    return jwt.encode({"sub": owner, "iat": now, "exp": now + 3600}, SECRET, "HS256")


def new_owner() -> str:
    return f"langgraph-{uuid4().hex}"


def saver(owner: str | None = None, **options) -> ColloquySaver:
    """The checkpointer of this owner, or of a new owner."""
    return ColloquySaver(URL, token(owner or new_owner()), **options)


def store(owner: str | None = None, **options) -> ColloquyStore:
    """The memory of this owner, or of a new owner."""
    return ColloquyStore(URL, token(owner or new_owner()), **options)
