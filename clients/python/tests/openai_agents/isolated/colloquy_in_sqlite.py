"""A pytest plugin: `agents.SQLiteSession` is our session, with an owner for each database."""

import hashlib
from pathlib import Path

import agents
from colloquy.openai_agents import ColloquySession
from own_sessions import URL, new_owner, token


class OwnSession(ColloquySession):
    """A session with the arguments of SQLiteSession."""

    def __init__(self, session_id: str, db_path: str | Path = ":memory:", session_settings=None) -> None:
        owner = new_owner() if db_path == ":memory:" else hashlib.sha256(str(db_path).encode()).hexdigest()
        super().__init__(session_id, URL, token(owner), session_settings=session_settings)


agents.SQLiteSession = OwnSession
