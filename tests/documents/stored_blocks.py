"""The blocks of a document, from what is stored of it."""

import json
from typing import Any

from app.documents.blocks import text_blocks
from app.documents.reader import Content


def blocks_of(content: Content) -> list[dict[str, Any]]:
    """All blocks; of a document that is only a text, the text."""
    return text_blocks(content.text) if content.stored_blocks is None else json.loads(content.stored_blocks)
