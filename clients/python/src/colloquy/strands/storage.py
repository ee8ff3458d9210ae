"""A storage of Strands: bytes under keys, such as the snapshots of its session manager.

The value of the key `a/b` is the record `value` in the namespace `strands, storage, a, b`: keys are listed as
namespaces, without their values.
"""

import builtins
import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from strands.storage.search import KeywordSearchStrategy
from strands.storage.storage import _NAMESPACED, StorageSearchResult, _normalize_key, _normalize_prefix
from strands.types.exceptions import StorageError

from colloquy.client import Token
from colloquy.clients import Clients, ClientsOwner
from colloquy.errors import ColloquyError
from colloquy.labels import decoded, encoded
from colloquy.operation import Operation
from colloquy.operations.record import delete_records, new_record, put_records, record, record_namespaces
from colloquy.steps import Steps, T, every

ROOT = ("strands", "storage")
KEY = "value"


class ColloquyStorage(ClientsOwner):
    """Stores the values of one owner, the subject of `token`, in Colloquy.

    Threads and event loops may share a storage. A key has at most 18 segments of at most 255 bytes, a value at most
    MAX_RECORD_BYTES. Every failure is a StorageError. A request whose response was lost is sent again.
    """

    def __init__(self, url: str, token: Token, *, search_strategy: Any = None, **options: Any) -> None:
        """`search_strategy` is one of Strands; the other arguments are those of `colloquy.Client`."""
        self.clients = Clients(url, token, **options)
        self._prefix = ""
        self._search_strategy = search_strategy

    async def write(self, key: str, data: bytes) -> None:
        """Stores the value, and indexes it with the search strategy."""
        normalized = _normalize_key(key)
        with _storage_errors(key):
            await self.clients.run_async(
                _one(put_records([new_record(self._path(normalized), KEY, bytes=bytes(data))]))
            )
        if self._search_strategy is not None:
            try:
                await self._search_strategy.index(self, normalized, data)
            except Exception as error:
                raise StorageError(f"Wrote '{key}' but indexing failed") from error

    async def read(self, key: str) -> bytes | None:
        """Returns the value; None without it."""
        with _storage_errors(key):
            found = await self.clients.run_async(_one(record(self._path(_normalize_key(key)), KEY)))
        return found.bytes if found else None

    async def delete(self, key: str) -> None:
        """Deletes the value; a key without one is no error."""
        with _storage_errors(key):
            await self.clients.run_async(_one(delete_records([(self._path(_normalize_key(key)), KEY)])))

    async def list(self, query: str = "") -> builtins.list[str]:
        """Returns the keys that start with the text, sorted."""
        prefix = self._prefix + _normalize_prefix(query)
        whole_segments = prefix.split("/")[:-1]
        with _storage_errors(query):
            found = await self.clients.run_async(every(record_namespaces(_namespace(whole_segments))))
        keys = ("/".join(map(decoded, each.namespace[len(ROOT) :])) for each in found)
        return sorted(key[len(self._prefix) :] for key in keys if key.startswith(prefix))

    async def search(self, query: str) -> builtins.list[StorageSearchResult]:
        """Searches with the strategy, which is Strands' search for words by default."""
        strategy = self._search_strategy or KeywordSearchStrategy()
        return await strategy.search(self, query)  # type: ignore[no-any-return]

    def namespace(self, prefix: str) -> Self:
        """Returns the storage of the keys below the prefix; both share the connections."""
        normalized = _normalize_prefix(prefix).rstrip("/")
        scoped = copy.copy(self)
        scoped._prefix = f"{self._prefix}{normalized}/" if normalized else self._prefix
        scoped._namespaced = _NAMESPACED  # type: ignore[attr-defined]
        return scoped

    def _path(self, key: str) -> tuple[str, ...]:
        return _namespace((self._prefix + key).split("/"))


def _namespace(segments: Iterable[str]) -> tuple[str, ...]:
    return (*ROOT, *map(encoded, segments))


def _one(operation: Operation[T]) -> Steps[T]:
    return (yield operation)  # type: ignore[no-any-return]


@contextmanager
def _storage_errors(key: str) -> Iterator[None]:
    try:
        yield
    except ColloquyError as error:
        raise StorageError(f"{key}: {error.code}: {error}") from error
