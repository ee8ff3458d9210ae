"""In place of the peer's conftest: what its tests keep in files goes to Colloquy, an owner for each directory."""

import hashlib

from colloquy.strands import ColloquySessionRepository
from owners import repository
from strands.session import file_session_manager
from strands.session.repository_session_manager import RepositorySessionManager


class InColloquy(RepositorySessionManager, ColloquySessionRepository):
    """A session manager that is its own repository, as FileSessionManager is."""

    def __init__(self, session_id: str, storage_dir: str) -> None:
        owner = hashlib.sha256(storage_dir.encode()).hexdigest()
        self.__dict__.update(vars(repository(owner)))
        super().__init__(session_id, self)


file_session_manager.FileSessionManager = InColloquy
