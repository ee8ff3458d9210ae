"""Data layers of new owners, for tests that run in the environment of chainlit."""

import os
import time
from uuid import uuid4

import jwt
from colloquy.chainlit import ColloquyDataLayer

URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]


def token(owner: str) -> str:
    """A token of this owner."""
    now = int(time.time())
    return jwt.encode({"sub": owner, "iat": now, "exp": now + 3600}, SECRET, "HS256")


def new_owner() -> str:
    return f"chainlit-{uuid4().hex}"


def data_layer(owner: str, url: str = URL, **options) -> ColloquyDataLayer:
    """The data layer of this owner."""
    return ColloquyDataLayer(url, token(owner), **options)
