"""The three states in the document of an agent framework (Strands `SessionAgent`)."""

import json

from app.documents.parsing import parse

# By column: the keys that frameworks write, the usual one first.
KEYS = {
    "state": ("state",),
    "conversation_manager_state": ("conversation_manager_state", "conversationManagerState"),
    "internal_state": ("_internal_state", "internal_state", "internalState"),
}


def read_states(raw: str | None) -> dict[str, str]:
    """The states as JSON texts by column, cleaned; empty for a text that is not a JSON object."""
    document = parse(raw) if raw is not None else None
    if not isinstance(document, dict):
        return {}
    found = {column: next((key for key in keys if key in document), None) for column, keys in KEYS.items()}
    return {column: json.dumps(document[key], ensure_ascii=False) for column, key in found.items() if key}
