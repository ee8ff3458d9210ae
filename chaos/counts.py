"""After the last fault: what was acknowledged and delivered, compared with what is stored."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chaos.client import Client
from chaos.load import Load
from chaos.readers import SessionReader, ViewerReader, sessions_of

CATCH_UP_SECONDS = 15  # enough for the slow poll, when wake-ups are lost
LINGER_SECONDS = 1.0  # in which a duplicate would arrive
PAGE = """
query ($id: ID!, $after: String) { session(id: $id) { title messageCount messages(first: 100, after: $after) {
  nodes { id sequence text status revision } pageInfo { hasNextPage endCursor } } } }
"""
COMPARED = ("sequence", "text", "status", "revision")
RECOVERY_SECONDS = 5.0


@dataclass
class Counts:
    """What one experiment counted; a good one has zeros in all fields from `lost` to `broken_rules`."""

    faults: int = 0
    acknowledged: int = 0
    events: int = 0
    reads: int = 0
    lost: int = 0
    stored_twice: int = 0
    gaps: int = 0
    missed: int = 0
    viewer_missed: int = 0
    duplicated: int = 0
    read_less: int = 0
    failed_outside: int = 0
    broken_rules: int = 0
    recoveries: list[float] = field(default_factory=list)
    worst: dict[str, float] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @property
    def slowest(self) -> float:
        """The slowest recovery in seconds."""
        return max(self.recoveries, default=0.0)

    @property
    def good(self) -> bool:
        """True if the experiment found nothing wrong."""
        stored = (self.lost, self.stored_twice, self.gaps, self.broken_rules)
        delivered = (self.missed, self.viewer_missed, self.duplicated, self.read_less, self.failed_outside)
        return not any(stored + delivered) and not self.findings and self.slowest <= RECOVERY_SECONDS

    def note(self, name: str, value: float) -> None:
        """Keeps the highest value of a figure."""
        self.worst[name] = max(value, self.worst.get(name, value))

    def find(self, kind: str, details: list[str]) -> int:
        """Keeps the first few findings of a kind; returns how many there are."""
        self.findings += [f"{kind}: {detail}" for detail in details[:3]]
        return len(details)


@dataclass(frozen=True)
class Stored:
    """A session as its rows have it; messages by id."""

    title: str
    messages: dict[str, dict[str, Any]]

    def differences(self, reader: SessionReader) -> list[str]:
        """Messages and title that the reader lacks, or has otherwise."""
        wrong = [
            f"message {id}: stored {message}, known {reader.messages.get(id)}"
            for id, message in self.messages.items()
            if not _equal(message, reader.messages.get(id))
        ]
        wrong += [f"message {id} is known and not stored" for id in reader.messages.keys() - self.messages.keys()]
        if reader.title and reader.title != self.title:
            wrong.append(f"title: stored {self.title!r}, known {reader.title!r}")
        return wrong


def _equal(stored: dict[str, Any], known: dict[str, Any] | None) -> bool:
    return known is not None and all(stored[name] == known[name] for name in COMPARED)


async def stored(client: Client, session: str) -> Stored:
    """Reads a whole session, page by page."""
    found: dict[str, dict[str, Any]] = {}
    after = None
    while True:
        page = (await client.execute(PAGE, id=session, after=after))["session"]
        found |= {message["id"]: message for message in page["messages"]["nodes"]}
        after = page["messages"]["pageInfo"]["endCursor"]
        if not page["messages"]["pageInfo"]["hasNextPage"]:
            return Stored(page["title"], found)


async def count(load: Load, counts: Counts) -> None:
    """Waits until the readers have received everything, or `CATCH_UP_SECONDS` have passed; then counts."""
    rows = {}
    for writer in load.writers:
        if writer.session not in rows:
            rows[writer.session] = await stored(writer.client, writer.session)
    for session, kept in rows.items():
        count_stored(load, session, kept, counts)
    await _count_delivered(load, rows, counts)
    counts.acknowledged = load.acts
    counts.events = sum(reader.received for reader in load.readers)
    counts.reads = sum(poller.reads for poller in load.pollers)
    counts.read_less = counts.find("read less", [less for poller in load.pollers for less in poller.read_less])
    counts.failed_outside = counts.find("failed outside of a fault", failed_outside(load))


def count_stored(load: Load, session: str, kept: Stored, counts: Counts) -> None:
    """Compares what a session's writers have been acknowledged with its rows."""
    writers = [writer for writer in load.writers if writer.session == session]
    lost = []
    for acknowledged in (writer.acknowledged for writer in writers):
        for id, text in acknowledged.texts.items():
            found = kept.messages.get(id)
            if not found or (found["text"], found["sequence"]) != (text, acknowledged.sequences[id]):
                lost.append(f"{id} {text!r}: {found}")
        if acknowledged.title and acknowledged.title != kept.title:
            lost.append(f"title {acknowledged.title!r}: {kept.title!r}")
    counts.lost += counts.find("lost", lost)
    ids = {id for writer in writers for id in writer.acknowledged.texts}
    extra = [f"{message}" for id, message in kept.messages.items() if id not in ids]
    counts.stored_twice += counts.find("stored twice", extra)
    numbers = Counter(message["sequence"] for message in kept.messages.values())
    gaps = sorted(set(range(1, max(numbers, default=0) + 1)) - numbers.keys())
    gaps += [number for number, times in numbers.items() if times > 1]
    counts.gaps += counts.find("gap", [f"{session} {number}" for number in gaps])


async def _count_delivered(load: Load, rows: dict[str, Stored], counts: Counts) -> None:
    """Gives the readers some time to receive the last event, and some more to receive one twice."""
    readers = [one for one in load.readers if isinstance(one, SessionReader) and one.session in rows]
    viewers = [(one, await sessions_of(one.client)) for one in load.readers if isinstance(one, ViewerReader)]

    def behind() -> bool:
        lacking = any(viewer.differences(listed) for viewer, listed in viewers)
        return lacking or any(rows[reader.session].differences(reader) for reader in readers)

    deadline = time.monotonic() + CATCH_UP_SECONDS
    while time.monotonic() < deadline and behind():
        await asyncio.sleep(0.1)
    await asyncio.sleep(LINGER_SECONDS)
    for reader in readers:
        counts.missed += counts.find("missed", [*reader.missed, *rows[reader.session].differences(reader)])
        counts.duplicated += counts.find("duplicated", reader.duplicated)
    for viewer, listed in viewers:
        counts.viewer_missed += counts.find("missed by a sidebar", viewer.differences(listed))


def failed_outside(load: Load) -> list[str]:
    """Requests that failed while nothing was broken: they neither began nor ended in the window of a fault."""
    failures = [failure for client in load.clients for failure in client.failures]
    return [
        failure.reason
        for failure in failures
        if not any(began <= failure.ended and failure.began <= ended for began, ended in load.fault_windows)
    ]
