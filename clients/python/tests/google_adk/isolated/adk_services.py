"""Session services of new owners, for tests that run in the environment of google-adk."""

import os
import time
from uuid import uuid4

import jwt
from colloquy.google_adk import ColloquySessionService

URL, SECRET = os.environ["COLLOQUY_URL"], os.environ["COLLOQUY_SECRET"]


def token(owner: str) -> str:
    """A token of this owner."""
    now = int(time.time())
    return jwt.encode({"sub": owner, "iat": now, "exp": now + 3600}, SECRET, "HS256")


def new_owner() -> str:
    return f"google-adk-{uuid4().hex}"


def service(owner: str, url: str = URL, **options) -> ColloquySessionService:
    """The service of this owner."""
    return ColloquySessionService(url, token(owner), **options)
