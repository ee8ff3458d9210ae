"""What is measured: the requests of each workload, and how the sessions change between them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

Session = tuple[str, str]
"""Owner and session id."""
Request = tuple[str, Session]
"""The name of the document, and the session."""

WARM_SESSIONS = 100
GROUP = 32
"""Requests between two to the same session: more than there are connections, so that the earlier one has ended."""
READS = 10


def unchanged(document: str, sessions: Sequence[Session]) -> Iterator[Request]:
    """Few sessions again and again: of different owners first."""
    return rounds((document,), sessions[:WARM_SESSIONS])


def rounds(documents: Sequence[str], sessions: Sequence[Session]) -> Iterator[Request]:
    """All documents for each session, one after the other."""
    for start in range(0, len(sessions), GROUP):
        for document in documents:
            for session in sessions[start : start + GROUP]:
                yield document, session


@dataclass(frozen=True)
class Workload:
    """`cold`: Colloquy runs without its session cache. `requests` are made of (owner, session id) pairs."""

    name: str
    description: str
    documents: tuple[str, ...]
    requests: Callable[[Sequence[Session]], Iterator[Request]]
    cold: bool = False

    @property
    def writes(self) -> bool:
        return "W3" in self.documents


PAGE = "one session with its newest 50 messages and their agents"
LIST = "the newest 20 sessions, each with its last message and that message's agent"
MIXED = f"an append, then {READS} times"
WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("W1-cold", f"{PAGE}; no session cache", ("W1",), partial(rounds, ("W1",)), cold=True),
        Workload("W2-cold", f"{LIST}; no session cache", ("W2",), partial(rounds, ("W2",)), cold=True),
        Workload("W4", "one session's newest 100 messages with every field", ("W4",), partial(rounds, ("W4",))),
        Workload("W5", "one message by its id, with its session", ("W5",), partial(rounds, ("W5",))),
        Workload("W1-warm", f"{PAGE}; nothing changes", ("W1",), partial(unchanged, "W1")),
        Workload("W2-warm", f"{LIST}; nothing changes", ("W2",), partial(unchanged, "W2")),
        Workload(
            "W1-turn",
            "the mean of an agent's turn: append a message, read the session with its newest 50, append",
            ("W1", "W3"),
            partial(rounds, ("W3", "W1", "W3")),
        ),
        Workload("W1-mixed", f"the mean of {MIXED} {PAGE}", ("W1", "W3"), partial(rounds, ("W3", *READS * ("W1",)))),
        Workload("W2-mixed", f"the mean of {MIXED} {LIST}", ("W2", "W3"), partial(rounds, ("W3", *READS * ("W2",)))),
        Workload("W3", "append one message", ("W3",), partial(rounds, ("W3",))),
    )
}
"""In the order in which they are measured: those that write come last."""
COMPARED = tuple(name for name in WORKLOADS if name not in ("W4", "W5"))
"""What the hand-written servers can answer."""
DEEP_PAGES = {
    "W6 page 1": "the first 100 of 1,000,000 messages",
    "W6 page 10,000": "the last 100 of 1,000,000 messages",
}
DESCRIPTIONS = {name: workload.description for name, workload in WORKLOADS.items()} | DEEP_PAGES
