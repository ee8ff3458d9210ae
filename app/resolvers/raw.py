"""Documents kept character for character, and what people see of them (invariant 5)."""

import json
import math
import re
from typing import Any

from app.errors import Invalid

STATES = {
    "state": ("state",),
    "conversation_manager_state": ("conversation_manager_state", "conversationManagerState"),
    "internal_state": ("_internal_state", "internal_state", "internalState"),
}
SURROGATE = re.compile("[\ud800-\udfff]")
WIDEST = 63


def document(text: str | None, field: str, most_bytes: int) -> str | None:
    """The document as it was sent. Raises Invalid for a character that cannot be stored, or too many bytes."""
    if text is None:
        return None
    if "\0" in text or SURROGATE.search(text):
        raise Invalid(f"{field} must write U+0000 and half surrogate pairs as JSON escapes.", field=field)
    if (size := len(text.encode())) > most_bytes:
        raise Invalid(f"{field} takes at most {most_bytes} bytes; it has {size}.", field=field)
    return text


def states(text: str | None) -> dict[str, str]:
    """The three states of a framework's document, cleaned for people; none of a text that is no JSON object."""
    found = parsed(text) if text is not None else None
    if not isinstance(found, dict):
        return {}
    named = {column: next((name for name in names if name in found), None) for column, names in STATES.items()}
    return {column: json.dumps(found[name], ensure_ascii=False) for column, name in named.items() if name}


def parsed(text: str) -> Any:
    """The value of a JSON text, cleaned for people; None for what is none, or nested beyond sense."""
    try:
        return cleaned(json.loads(text))
    except (ValueError, RecursionError):
        return None


def cleaned(value: Any) -> Any:
    """The value with what JSON or PostgreSQL cannot keep replaced: U+FFFD in texts, wide or odd numbers as texts."""
    match value:
        case str():
            return SURROGATE.sub("\ufffd", value.replace("\0", "\ufffd"))
        case dict():
            return {cleaned(key): cleaned(item) for key, item in value.items()}
        case list():
            return [cleaned(item) for item in value]
        case bool():
            return value
        case int() if value.bit_length() > WIDEST:
            return str(value)
        case float() if not math.isfinite(value):
            return None
    return value
