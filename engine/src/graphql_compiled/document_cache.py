"""Prepared documents, kept by their text: bounded, and not for an attacker to empty or to fill."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

LONGEST = 16_384  # characters of a document worth keeping
TYPICAL = 1_024  # characters per kept document on average: a tree takes about 85 bytes per character


@dataclass(slots=True, eq=False)
class _Kept(Generic[T]):
    value: T
    uses: int


class Documents(Generic[T]):
    """At most `size` values and `size` KiB of text, those asked for most often.

    A text enters at its second sight, and a full store lets it in only past a text that was asked for less
    often (TinyLFU, Einziger et al. 2017). A stream of ever new documents thus evicts nothing and is not
    kept; what was popular once ages with every `10 * size` texts that were not found.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[str, _Kept[T]] = {}
        self._characters = 0
        self._seen: dict[int, int] = {}
        self._missed = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def characters(self) -> int:
        """The length of all texts kept."""
        return self._characters

    def get(self, text: str) -> T | None:
        """The value of `text`, if it is kept; a hit counts as a use."""
        kept = self._kept.get(text)
        if kept is None:
            return None
        kept.uses += 1
        return kept.value

    def offer(self, text: str, value: T) -> bool:
        """Take note of a text that was not found; whether it is kept from now on."""
        uses = self._note(hash(text))
        if uses < 2 or len(text) > LONGEST:
            return False
        while len(self._kept) >= self._size or self._characters + len(text) > self._size * TYPICAL:
            if not self._evict(uses):
                return False
        self._kept[text] = _Kept(value, uses)
        self._characters += len(text)
        return True

    def _note(self, key: int) -> int:
        self._missed += 1
        if self._missed > 10 * self._size:
            self._age()
        self._seen[key] = uses = self._seen.get(key, 0) + 1
        return uses

    def _evict(self, uses: int) -> bool:
        victim = min(self._kept, key=lambda text: self._kept[text].uses, default=None)
        if victim is None or self._kept[victim].uses >= uses:
            return False
        del self._kept[victim]
        self._characters -= len(victim)
        return True

    def _age(self) -> None:
        self._missed = 0
        self._seen = {key: uses // 2 for key, uses in self._seen.items() if uses > 1}
        for kept in self._kept.values():
            kept.uses //= 2
