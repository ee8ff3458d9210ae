"""Plain text: a JSON string in the place of a part."""

from typing import Any

from app.documents.blocks import Block, text_block
from app.documents.format import MessageFormat


class PlainText(MessageFormat):
    """A part that is a string."""

    def block(self, part: Any) -> Block | None:
        return text_block(part) if isinstance(part, str) else None
