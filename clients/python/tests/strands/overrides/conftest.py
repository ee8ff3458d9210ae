"""Replaces the conftest of strands-agents: its file session manager stores in Colloquy, with an owner for each directory."""

import hashlib

from colloquy.strands import ColloquySessionRepository
from repositories import repository
from strands.session import file_session_manager
from strands.session.repository_session_manager import RepositorySessionManager


class ColloquySessionManager(RepositorySessionManager, ColloquySessionRepository):
    """A session manager that is its own repository, as FileSessionManager is."""

    def __init__(self, session_id: str, storage_dir: str) -> None:
        owner = hashlib.sha256(storage_dir.encode()).hexdigest()
        self.__dict__.update(vars(repository(owner)))
        super().__init__(session_id, self)


file_session_manager.FileSessionManager = ColloquySessionManager
