"""Namespace and key of a record as one text, whose bytewise order serves every page and every prefix.

Each label of the namespace ends with U+001F, and the key begins with U+001E, so that the records of a namespace come
before those of the namespaces below it. Neither character is allowed in a label or a key.
"""

from collections.abc import Sequence
from typing import NamedTuple

LABEL_END, KEY_START = "\x1f", "\x1e"
AFTER_LABEL_END = " "  # the next character
HIGHEST = "\U0010ffff" * 400  # above every path: one has at most MAX_RECORD_PATH_BYTES


class RecordName(NamedTuple):
    """The labels of a namespace, outermost first, and a key in it."""

    namespace: tuple[str, ...]
    key: str


class PathRange(NamedTuple):
    """Paths from `low` on, and before `high`."""

    low: str
    high: str


def path_of(namespace: Sequence[str], key: str) -> str:
    """The path of a record."""
    return prefix_of(namespace) + KEY_START + key


def prefix_of(namespace: Sequence[str]) -> str:
    """What the paths in a namespace, and in those below it, begin with."""
    return "".join(label + LABEL_END for label in namespace)


def labels_of(prefix: str) -> list[str]:
    """The labels of a prefix."""
    return prefix.split(LABEL_END)[:-1]


def name_of(path: str) -> RecordName:
    """The namespace and the key in a path."""
    prefix, _, key = path.partition(KEY_START)
    return RecordName(tuple(labels_of(prefix)), key)


def below(namespace: Sequence[str]) -> PathRange:
    """The paths in a namespace and in those below it; with an empty one all paths."""
    prefix = prefix_of(namespace)
    return PathRange(prefix, prefix[:-1] + AFTER_LABEL_END if prefix else HIGHEST)


LIVE = below(["live"])
"""The paths of live records: `viewerEvents` reports their changes."""


def is_live(path: str) -> bool:
    """True for the path of a live record."""
    return LIVE.low <= path < LIVE.high
