"""Strands session records: a Bedrock Converse message with its position and its redaction."""

from typing import Any

from app.documents.format import JsonObject, MessageFormat


def _message(record: JsonObject) -> Any | None:
    """`redact_message` takes the position of `message` once it is set."""
    match record:
        case {"redact_message": dict(message)} | {"message": dict(message)}:
            return message
    return None


STRANDS = MessageFormat(envelopes={"redact_message": _message, "message": _message})
