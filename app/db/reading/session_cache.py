"""Rows of sessions that were read before, kept under the head of their session: one cache per process.

A session's `head` counts every change of anything in it, and only grows. Rows are kept under a head that was read,
committed, before them: they show the session at that head or at a later one. A reader that finds the same head later
gets the session at exactly that head, because a later state would have a later head. A reader that found the head
earlier, beside the one that keeps the rows, gets what a read at this moment may return too. So the answers are those
of a process without a cache, and no answer depends on a wake-up.

A database that goes back in time (a restored backup, a failover that loses commits) counts heads again, but never
without another start of PostgreSQL, or the promotion of a standby. Each head is therefore read together with the time
at which its PostgreSQL started, below zero on a standby. Rows that were read under another time are dropped. A primary
and its standbys have times of their own; a promotion anywhere empties the cache.

Most sessions are read once under a head. So nothing is kept at the first read, which costs a count. From the second
read on a session is kept and, once memory is scarce, only if it was read more often than the session that would be
evicted: a walk through more sessions than fit evicts little and keeps little.

Not covered, and never kept: the catalogue, counts and statistics, the session's own row (its status depends on the
time), messages with status STREAMING (their text grows without a number), and reads in mutations and live events.
What is derived from such rows is kept beside the rows, and used if they are equal when they are read again: so are the
owner's lists of sessions, until any session of the owner changes.
The purge of tombstones moves no head; deleted rows are in no kept read.

Every change drops what is kept of its session: at its commit in this process, at its wake-up in others. This frees
memory, and nothing that was erased or redacted stays in it. When wake-ups may have been lost, everything is dropped.
"""

from collections import OrderedDict
from itertools import chain
from sys import getsizeof
from typing import Any

from app.db.access.statement import Row
from app.db.reading.read_counts import ReadCounts

SESSION_SHARE = 8  # one session holds at most an eighth, so reading a long session to its start leaves the others
COUNTS_SHARE = 128  # the counts of reads take less than a hundredth
PERIOD = 16  # rejections for each kept session
ENTRY_BYTES = 128  # the tuple and the size of an entry
EMPTY_TEXT_BYTES = getsizeof("")
SESSION_BYTES = 512  # the key, the head and the object of a session
LISTS = ""  # in place of a session's id
ANY_START = 0.0  # in place of the time at which PostgreSQL started
What = tuple[Any, ...]


class KeptSession:
    """What is kept of one session under one head."""

    __slots__ = ("cache", "entries", "head", "key", "postgres_started", "size", "slot")

    def __init__(
        self, cache: "SessionCache", key: tuple[str, str], head: int, postgres_started: float, slot: int
    ) -> None:
        self.cache, self.key, self.head, self.slot = cache, key, head, slot
        self.postgres_started = postgres_started
        self.entries: dict[What, tuple[Any, int]] = {}
        """By what was read: the value, and its size."""
        self.size = SESSION_BYTES + size_of(key) + getsizeof(self.entries)

    def get(self, what: What) -> tuple[Any, int] | None:
        """The value and its size, or None."""
        found = self.entries.get(what)
        if found is not None:
            self.cache.hits += 1
        return found

    def keep(self, what: What, value: Any) -> None:
        """Keeps a value that was read after the head, unless the session was dropped since."""
        self.cache.keep(self, what, value)


class SessionCache:
    """Values read from sessions, at most `max_bytes` of memory; the least recently used session is evicted first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.hits = self.misses = self.rejections = self.evictions = 0
        self._sessions: OrderedDict[tuple[str, str], KeptSession] = OrderedDict()
        self._size = 0
        self._reads = ReadCounts(max_bytes // COUNTS_SHARE + 1, self._period)

    @property
    def bytes(self) -> int:
        """The memory that the kept values and the counts of reads take at most."""
        return self._size + getsizeof(self._sessions) + getsizeof(self._reads.counts)

    @property
    def counts(self) -> dict[str, int]:
        """What was found, not found, evicted and not kept."""
        return {name: getattr(self, name) for name in ("hits", "misses", "evictions", "rejections")}

    def has(self, owner: str, session_id: str, head: int) -> bool:
        """True if something is kept of the session under this head."""
        kept = self._sessions.get((owner, session_id))
        return kept is not None and kept.head == head and bool(kept.entries)

    def session(self, owner: str, session_id: str, head: int, postgres_started: float) -> KeptSession | None:
        """What is kept of a session under the head that the caller has read, from a PostgreSQL that started then.

        None at the first read under this head, while others are read more often, and if a later head is known. Call
        this before the read whose result is kept: `keep` refuses what was read before a drop.
        """
        key = owner, session_id
        kept = self._sessions.get(key)
        if kept is not None:
            same_server = kept.postgres_started == postgres_started
            if kept.head == head and same_server:
                self._sessions.move_to_end(key)
                self._reads.repeat(kept.slot)
                return kept
            if kept.head > head and same_server:
                return None
            self._drop(kept)
        slot = hash((owner, session_id, head)) % self._reads.slots
        reads = self._reads.count(slot)
        if reads == 1 or not self._admits(reads):
            self.rejections += 1
            return None
        kept = self._sessions[key] = KeptSession(self, key, head, postgres_started, slot)
        self._size += kept.size
        self._evict()
        return kept

    def lists(self, owner: str) -> KeptSession | None:
        """What is kept of the owner's lists of sessions until any of them changes, beside the rows that were read.

        Each of these rows has the start of its PostgreSQL, so a list of another server differs from the kept one.
        """
        return self.session(owner, LISTS, 0, ANY_START)

    def _admits(self, reads: int) -> bool:
        """True if there is room, or if the least recently used session has fewer reads."""
        if self._has_room or not self._sessions:
            return True
        oldest = next(iter(self._sessions.values()))
        if reads > self._reads.counts[oldest.slot] + 1:  # in a walk from end to end, the oldest is one read behind
            return True
        self._sessions.move_to_end(oldest.key)  # the next session is compared with another one
        return False

    @property
    def _has_room(self) -> bool:
        return self.bytes <= self.max_bytes - self.max_bytes // SESSION_SHARE

    def _period(self) -> int:
        """After how many rejections the counts are halved: soon, if sessions compete for memory."""
        return self.max_bytes if self._has_room else PERIOD * len(self._sessions)

    def keep(self, kept: KeptSession, what: What, value: Any) -> None:
        """Keeps a value, unless the session was dropped since `session` or the value is too large."""
        if self._sessions.get(kept.key) is not kept:
            return
        size = ENTRY_BYTES + size_of(what) + size_of(value)
        maximum = self.max_bytes // SESSION_SHARE
        if size + SESSION_BYTES > maximum:
            return
        before, entries = kept.size, kept.entries
        _, replaced = entries.pop(what, (None, 0))
        kept.size += size - replaced - getsizeof(entries)
        entries[what] = value, size
        kept.size += getsizeof(entries)
        while kept.size > maximum and len(entries) > 1:
            _, oldest = entries.pop(next(iter(entries)))
            kept.size -= oldest
            self.evictions += 1
        self._size += kept.size - before
        self._evict()

    def changed(self, owner: str, session_id: str, revision: int) -> None:
        """Drops what is kept of a session under a head before `revision`, and of the owner's lists."""
        for session in (session_id, LISTS):
            kept = self._sessions.get((owner, session))
            if kept is not None and kept.head < revision:
                self._drop(kept)

    def clear(self) -> None:
        """Drops everything."""
        while self._sessions:
            self._drop(next(iter(self._sessions.values())))
        self._sessions = OrderedDict()

    def _evict(self) -> None:
        while self._sessions and self.bytes > self.max_bytes:
            kept = next(iter(self._sessions.values()))
            self.evictions += len(kept.entries)
            self._drop(kept)

    def _drop(self, kept: KeptSession) -> None:
        del self._sessions[kept.key]
        self._size -= kept.size
        kept.entries.clear()  # operations may hold the object


def size_of(value: Any) -> int:
    """An upper bound of the bytes of a value: a scalar, or rows, tuples and lists of such."""
    size, values = 0, [value]
    while values:
        others = [part for part in values if type(part) is not str]
        size += _size_of_texts([part for part in values if type(part) is str]) + sum(map(getsizeof, others))
        values = list(chain.from_iterable([part for part in others if isinstance(part, Row | tuple | list)]))
    return size


def _size_of_texts(texts: list[str]) -> int:
    """All at once: to ask each text for its size takes four times as long."""
    joined = "".join(texts)
    if joined.isascii():
        return len(joined) + EMPTY_TEXT_BYTES * len(texts)
    encoded = [4 * len(text) + 1 for text in texts if not text.isascii()]  # CPython keeps the UTF-8 of an encoded text
    return sum(map(getsizeof, texts)) + sum(encoded)
