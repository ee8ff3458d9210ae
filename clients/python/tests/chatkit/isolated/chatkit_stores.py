"""Stores of new owners, for tests that run in the environment of openai-chatkit."""

import os
import time
from uuid import uuid4

import jwt
from colloquy.chatkit import ColloquyStore

URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]


def token(owner: str, **claims: str) -> str:
    """A token of this owner."""
    now = int(time.time())
    return jwt.encode({"sub": owner, "iat": now, "exp": now + 3600, **claims}, SECRET, "HS256")


def new_owner() -> str:
    return f"chatkit-{uuid4().hex}"


def store(url: str = URL, **options) -> ColloquyStore[str]:
    """A store whose contexts are owners."""
    return ColloquyStore(url, token, **options)
