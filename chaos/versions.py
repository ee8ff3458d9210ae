"""How new a message or a session is: what was acknowledged or shown once is never read older than that."""

from typing import NamedTuple


class Version(NamedTuple):
    """A message's number, change number and length of text, which grows without a change; a session's number is 0."""

    sequence: int
    revision: int
    length: int


NOTHING = Version(0, 0, 0)
Versions = dict[str, Version]
"""By id: messages, and their session."""


def merge(known: Versions, newer: Versions) -> None:
    """Keeps the newest version of each."""
    for id, version in newer.items():
        known[id] = max(version, known.get(id, NOTHING))


def older(found: Versions, expected: Versions) -> list[str]:
    """What a page has older than expected, or lacks although it lies within the page: a page ends with the newest."""
    first = min((version.sequence for version in found.values() if version.sequence), default=0)
    return [
        f"{id}: read {found.get(id)}, known {version}"
        for id, version in expected.items()
        if (not version.sequence or version.sequence >= first) and found.get(id, NOTHING) < version
    ]
