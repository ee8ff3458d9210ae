"""The parts of a streaming message: the text inside them while they come, and the document they end as.

Parts are JSON texts as the JSON scalar writes them. Nothing here fails: what a format does not know is left out.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from app.documents import ag_ui_events, ai_sdk_chunks
from app.documents.parsing import MAX_LEVELS, clean, parse

FOLDS: dict[str, Callable[[Iterable[Any]], Any | None]] = {
    "AI_SDK": ai_sdk_chunks.fold,
    "AG_UI": ag_ui_events.fold,
}


def text_inside(parts: Iterable[str]) -> str:
    """The text for people in the chunks of AI SDK and the events of AG-UI; the end of a text ends its line."""
    return "".join(_text(part) for part in parts if '"text-' in part or '"TEXT_MESSAGE_' in part)


def _text(part: str) -> str:
    match orjson.loads(part.encode()):  # orjson takes no subclass of str
        case {"type": "text-delta" | "TEXT_MESSAGE_CONTENT" | "TEXT_MESSAGE_CHUNK", "delta": str(text)}:
            return clean(text)
        case {"type": "text-end" | "TEXT_MESSAGE_END"}:
            return "\n"
    return ""


def is_too_deep(part: str) -> bool:
    """True for a part that is nested deeper than documents are read."""
    return part.count("[") + part.count("{") > MAX_LEVELS and parse(part) is None


def message_of(parts_format: str, parts: list[str]) -> str | None:
    """The message that a front end makes of the parts, or the list of all parts; None if the parts have no content."""
    fold = FOLDS.get(parts_format)
    if fold is None:
        return f"[{','.join(parts)}]" if parts else None
    document = fold(map(orjson.loads, parts))
    return None if document is None else orjson.dumps(document).decode()
