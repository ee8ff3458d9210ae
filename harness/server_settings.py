"""Settings and tokens of the servers that the harness launches: all of them share one signing secret."""

import os
from typing import Any

from app.auth import mint
from app.settings import Settings

SECRET = "a secret of the harness, thirty-two bytes and more"
DAY_SECONDS = 86_400


def settings_for(database_url: str, **changes: Any) -> Settings:
    """Settings of a server in this process, with some changed."""
    defaults = {
        "database_url": database_url,
        "jwt_secret": SECRET,
        "pool_size": 8,
        "shutdown_seconds": 3,
        "database_role": os.environ.get("TEST_DATABASE_ROLE"),
    }
    return Settings(**{**defaults, **changes})


def environment_for(database_url: str, **changes: str) -> dict[str, str]:
    """Environment variables of a `colloquy` command on a database, with some changed."""
    defaults = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "LOG_LEVEL": "ERROR", "LOG_FORMAT": "json"}
    return defaults | changes


def token(owner: str, *, ttl_seconds: float = DAY_SECONDS, **claims: Any) -> str:
    """A token of this owner that every launched server accepts; `claims` as `app.auth.mint` takes them."""
    return mint(Settings(jwt_secret=SECRET), sub=owner, ttl_seconds=ttl_seconds, **claims)
