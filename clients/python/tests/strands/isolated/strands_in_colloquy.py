"""A pytest plugin: Strands' storages are ours, in memory with a new owner each time, of files with one per directory."""

import hashlib
from uuid import uuid4

import pytest
import strands.storage
from colloquy.strands import ColloquyStorage
from repositories import URL, token
from strands.storage import in_memory_storage


@pytest.fixture
def agenerator():
    """As in the conftest of strands-agents."""

    async def generate(items):
        for item in items:
            yield item

    return generate


class InMemoryStorage(ColloquyStorage):
    """A storage with the arguments of Strands' InMemoryStorage, and its `clear`."""

    def __init__(self, *, search_strategy=None) -> None:
        super().__init__(URL, token(f"strands-{uuid4().hex}"), search_strategy=search_strategy)

    def clear(self) -> None:
        self.client.delete_records(namespace_prefix=self._path("")[:-1])


class LocalFileStorage(ColloquyStorage):
    """A storage with the argument of Strands' LocalFileStorage."""

    def __init__(self, base_dir: str) -> None:
        super().__init__(URL, token(hashlib.sha256(str(base_dir).encode()).hexdigest()))


strands.storage.LocalFileStorage = LocalFileStorage
strands.storage.InMemoryStorage = InMemoryStorage
in_memory_storage.InMemoryStorage = InMemoryStorage
