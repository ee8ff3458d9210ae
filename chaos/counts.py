"""Afterwards: what was acknowledged and told, against what is stored."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chaos.load import Load
from chaos.owner import Owner
from chaos.readers import SHOWN, SessionReader, ViewerReader

SETTLE_SECONDS = 15  # that is enough for the slow poll, when wake-ups are lost
LINGER_SECONDS = 1.0  # in which what comes twice would come
PAGE = """
query ($id: ID!, $after: String) { session(id: $id) { title messageCount messages(first: 100, after: $after) {
  nodes { id sequence text status revision } pageInfo { hasNextPage endCursor } } } }
"""
SESSIONS = f"{{ sessions(first: 100) {{ nodes {{ {SHOWN} }} }} }}"
SAME = ("sequence", "text", "status", "revision")
RECOVERY_SECONDS = 5.0


@dataclass
class Counts:
    """What one experiment found; all but the first three are to be zero where zero is possible."""

    faults: int = 0
    acknowledged: int = 0
    events: int = 0
    lost: int = 0
    stored_twice: int = 0
    gaps: int = 0
    missed: int = 0
    viewer_missed: int = 0
    doubled: int = 0
    failed_outside: int = 0
    broken_rules: int = 0
    recoveries: list[float] = field(default_factory=list)
    worst: dict[str, float] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @property
    def slowest(self) -> float:
        return max(self.recoveries, default=0.0)

    @property
    def good(self) -> bool:
        stored = (self.lost, self.stored_twice, self.gaps, self.broken_rules)
        told = (self.missed, self.viewer_missed, self.doubled, self.failed_outside)
        return not any(stored + told) and not self.findings and self.slowest <= RECOVERY_SECONDS

    def note(self, what: str, value: float) -> None:
        """A figure of which the highest is told."""
        self.worst[what] = max(value, self.worst.get(what, value))

    def find(self, what: str, words: list[str]) -> int:
        """Keeps the first few findings of a kind; how many there are."""
        self.findings += [f"{what}: {one}" for one in words[:3]]
        return len(words)


@dataclass(frozen=True)
class Stored:
    """A session as its rows have it."""

    title: str
    messages: dict[str, dict[str, Any]]

    def unlike(self, reader: SessionReader) -> list[str]:
        """What the reader does not know, or knows otherwise."""
        wrong = [
            f"message {id}: stored {message}, known {reader.messages.get(id)}"
            for id, message in self.messages.items()
            if not _same(message, reader.messages.get(id))
        ]
        wrong += [f"message {id} is known and not stored" for id in reader.messages.keys() - self.messages.keys()]
        if reader.title and reader.title != self.title:
            wrong.append(f"title: stored {self.title!r}, known {reader.title!r}")
        return wrong


def _same(stored: dict[str, Any], known: dict[str, Any] | None) -> bool:
    return known is not None and all(stored[name] == known[name] for name in SAME)


async def stored(owner: Owner, session: str) -> Stored:
    """All of it, page by page."""
    found: dict[str, dict[str, Any]] = {}
    after = None
    while True:
        page = (await owner.asks(PAGE, id=session, after=after))["session"]
        found |= {message["id"]: message for message in page["messages"]["nodes"]}
        after = page["messages"]["pageInfo"]["endCursor"]
        if not page["messages"]["pageInfo"]["hasNextPage"]:
            return Stored(page["title"], found)


async def count(load: Load, counts: Counts) -> None:
    """Waits until the readers know everything, or should; then counts."""
    rows = {}
    for writer in load.writers:
        if writer.session not in rows:
            rows[writer.session] = await stored(writer.owner, writer.session)
    for session, kept in rows.items():
        count_stored(load, session, kept, counts)
    await _count_told(load, rows, counts)
    counts.acknowledged = load.acts
    counts.events = sum(reader.heard for reader in load.readers)
    counts.failed_outside = counts.find("failed outside of a fault", failed_outside(load))


def count_stored(load: Load, session: str, kept: Stored, counts: Counts) -> None:
    """What the writers of a session were told, against its rows."""
    writers = [writer for writer in load.writers if writer.session == session]
    lost = []
    for writer in writers:
        told = writer.told
        for id, text in told.texts.items():
            found = kept.messages.get(id)
            if not found or (found["text"], found["sequence"]) != (text, told.sequences[id]):
                lost.append(f"{id} {text!r}: {found}")
        if told.title and told.title != kept.title:
            lost.append(f"title {told.title!r}: {kept.title!r}")
    counts.lost += counts.find("lost", lost)
    acknowledged = {id for writer in writers for id in writer.told.texts}
    extra = [f"{message}" for id, message in kept.messages.items() if id not in acknowledged]
    counts.stored_twice += counts.find("stored twice", extra)
    numbers = Counter(message["sequence"] for message in kept.messages.values())
    gaps = sorted(set(range(1, max(numbers, default=0) + 1)) - numbers.keys())
    gaps += [number for number, times in numbers.items() if times > 1]
    counts.gaps += counts.find("gap", [f"{session} {number}" for number in gaps])


async def _count_told(load: Load, rows: dict[str, Stored], counts: Counts) -> None:
    """Readers have some time to hear the last of it, and some more to hear it twice."""
    readers = [one for one in load.readers if isinstance(one, SessionReader) and one.session in rows]
    viewers = [(one, await _listed(one.owner)) for one in load.readers if isinstance(one, ViewerReader)]

    def behind() -> bool:
        lacking = any(viewer.lacks(listed) for viewer, listed in viewers)
        return lacking or any(rows[reader.session].unlike(reader) for reader in readers)

    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline and behind():
        await asyncio.sleep(0.1)
    await asyncio.sleep(LINGER_SECONDS)
    for reader in readers:
        counts.missed += counts.find("missed", [*reader.missed, *rows[reader.session].unlike(reader)])
        counts.doubled += counts.find("doubled", reader.doubled)
    for viewer, listed in viewers:
        counts.viewer_missed += counts.find("missed by a sidebar", viewer.lacks(listed))


async def _listed(owner: Owner) -> dict[str, dict[str, Any]]:
    found = (await owner.asks(SESSIONS))["sessions"]["nodes"]
    return {session["id"]: session for session in found}


def failed_outside(load: Load) -> list[str]:
    """Requests that failed while nothing was broken: they neither began nor ended in the window of a fault."""
    failures = [failure for owner in load.owners for failure in owner.failures]
    return [
        failure.words
        for failure in failures
        if not any(began <= failure.ended and failure.began <= ended for began, ended in load.windows)
    ]
