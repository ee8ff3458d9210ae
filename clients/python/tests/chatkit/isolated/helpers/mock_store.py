"""The module from which the peer's tests import their store: it has ours, with owners for each database."""

import hashlib
from uuid import uuid4

from chatkit_stores import URL, token
from colloquy.chatkit import ColloquyStore

RUN = uuid4().hex


class SQLiteStore(ColloquyStore):
    """A store with the arguments of the peer's own."""

    def __init__(self, db_path: str) -> None:
        self.db_path = db_path
        super().__init__(URL, self._token)

    def _token(self, context) -> str:
        return token(hashlib.sha256(f"{RUN} {self.db_path} {context.user_id}".encode()).hexdigest())
