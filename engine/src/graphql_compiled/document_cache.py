"""A cache of documents by their text, bounded, that a flood of one-off documents can neither empty nor fill."""

from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_DOCUMENT_LENGTH = 16_384
"""Characters of the longest document that is cached."""
MEAN_DOCUMENT_LENGTH = 1_024
"""Characters per cached document, on average: an AST takes about 85 bytes per character."""


@dataclass(slots=True, eq=False)
class _Entry(Generic[T]):
    value: T
    uses: int


class DocumentCache(Generic[T]):
    """Holds at most `size` values and `size` KiB of text: those in most frequent use.

    A text is admitted at its second use, and a full cache admits it only past a text in less frequent use (TinyLFU,
    Einziger et al. 2017). Frequencies are halved after every `10 * size` misses, so that old favourites leave.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[str, _Entry[T]] = {}
        self._characters = 0
        self._uses: dict[int, int] = {}
        self._misses = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def characters(self) -> int:
        """The length of all cached texts."""
        return self._characters

    def get(self, text: str) -> T | None:
        """The cached value of `text`, or None; counts as a use."""
        entry = self._entries.get(text)
        if entry is None:
            return None
        entry.uses += 1
        return entry.value

    def offer(self, text: str, value: T) -> bool:
        """Count a use of a text that `get` did not find. Returns True if the cache admits the value."""
        with self._lock:
            uses = self._count_use(hash(text))
            if uses < 2 or len(text) > MAX_DOCUMENT_LENGTH or text in self._entries:
                return False
            while len(self._entries) >= self._size or self._characters + len(text) > self._size * MEAN_DOCUMENT_LENGTH:
                if not self._evict(uses):
                    return False
            self._entries[text] = _Entry(value, uses)
            self._characters += len(text)
            return True

    def _count_use(self, key: int) -> int:
        self._misses += 1
        if self._misses > 10 * self._size:
            self._halve_frequencies()
        self._uses[key] = uses = self._uses.get(key, 0) + 1
        return uses

    def _evict(self, uses: int) -> bool:
        victim = min(self._entries, key=lambda text: self._entries[text].uses, default=None)
        if victim is None or self._entries[victim].uses >= uses:
            return False
        del self._entries[victim]
        self._characters -= len(victim)
        return True

    def _halve_frequencies(self) -> None:
        self._misses = 0
        self._uses = {key: uses // 2 for key, uses in self._uses.items() if uses > 1}
        for entry in self._entries.values():
            entry.uses //= 2
