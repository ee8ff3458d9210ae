"""Strands session records: a Bedrock Converse message with its position and its redaction."""

from typing import Any

from app.documents.format import MessageFormat


class Strands(MessageFormat):
    """`SessionMessage`. `redact_message` takes the place of `message` once it is set."""

    def message(self, document: Any) -> Any | None:
        match document:
            case {"redact_message": dict(message)} | {"message": dict(message)}:
                return message
        return None
