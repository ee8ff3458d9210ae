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
WIDEST = 2**63
DIGITS = 20  # of the widest integer with its sign
DEEPEST = 200


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
    """The value of a JSON text, cleaned for people; None for what is none, or nested deeper than 200 levels."""
    try:
        return cleaned(DECODER.decode(text))
    except (ValueError, RecursionError):
        return None


def cleaned(value: Any, levels: int = DEEPEST) -> Any:
    """The value with what PostgreSQL cannot keep in its texts replaced by U+FFFD. Raises ValueError if too deep."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value.replace("\0", "\ufffd"))
    if isinstance(value, dict | list) and not levels:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item, levels - 1) for item in value]
    return value


def _integer(digits: str) -> int | str:
    """Wide ones as texts: few JSON readers keep them."""
    if len(digits) > DIGITS or not -WIDEST <= (value := int(digits)) < WIDEST:
        return digits
    return value


def _number(digits: str) -> float | str:
    return value if math.isfinite(value := float(digits)) else digits


DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_number, parse_constant=str)
