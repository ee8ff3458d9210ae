"""Texts of agent frameworks as labels and keys of records, which are never empty and have no control characters."""

import hashlib
import re

NOT_ALLOWED = re.compile(r"[\x00-\x1f%]")
EMPTY = "%"  # no encoded text is this one
MAX_BYTES = 255


def encoded(text: str) -> str:
    """The text with control characters and `%` percent-encoded; order and prefixes of other texts stay."""
    return NOT_ALLOWED.sub(lambda found: f"%{ord(found[0]):02X}", text) or EMPTY


def decoded(label: str) -> str:
    """The text of a label that `encoded` returned."""
    return re.sub("%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), label) if label != EMPTY else ""


def label_of(text: str) -> str:
    """As `encoded`; a text of more than 255 bytes ends in its SHA-256 instead, and cannot be decoded."""
    label = encoded(text)
    if len(label.encode()) <= MAX_BYTES:
        return label
    return f"{label.encode()[:150].decode(errors='ignore')}%{hashlib.sha256(text.encode()).hexdigest()}"
