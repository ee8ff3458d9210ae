"""Reads a document in any known message format into text, blocks and token usage (invariant 5).

A document is an answer, a message, or a list of messages or parts. Reading never fails and takes linear time. A part
that no format recognises becomes a block of kind "other", and so does a document that yields no block.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import orjson

from app.documents import blocks
from app.documents.ag_ui import AG_UI
from app.documents.ai_sdk import AI_SDK
from app.documents.anthropic import ANTHROPIC
from app.documents.assistant_ui import ASSISTANT_UI
from app.documents.bedrock_converse import BEDROCK_CONVERSE
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat, PartReader
from app.documents.gemini import GEMINI
from app.documents.langchain import LANGCHAIN
from app.documents.openai import OPENAI
from app.documents.openai_responses import OPENAI_RESPONSES
from app.documents.parsing import parse
from app.documents.pydantic_ai import PYDANTIC_AI
from app.documents.strands import STRANDS
from app.limits import MAX_BLOCKS, MAX_TEXT_LENGTH

# By the name of the producer. Where several formats have one key or type, the first that recognises the shape reads it.
FORMATS: dict[str, MessageFormat] = {
    "Strands": STRANDS,
    "Bedrock Converse": BEDROCK_CONVERSE,
    "Anthropic": ANTHROPIC,
    "LangChain": LANGCHAIN,
    "OpenAI chat completions": OPENAI,
    "AI SDK": AI_SDK,
    "assistant-ui": ASSISTANT_UI,
    "AG-UI": AG_UI,
    "Gemini and ADK": GEMINI,
    "pydantic-ai": PYDANTIC_AI,
    "OpenAI Responses": OPENAI_RESPONSES,
}
METADATA = ("metadata", "custom", "response_metadata")
"""The keys under which producers keep what belongs to no part."""
END = object()
Reader = TypeVar("Reader")


def _in_order(tables: Iterable[Mapping[str, Reader]]) -> tuple[tuple[str, Reader], ...]:
    """The readers of all formats, each with its key."""
    return tuple(dict.fromkeys(chain.from_iterable(table.items() for table in tables)))


def _by_name(tables: Iterable[Mapping[str, Reader]]) -> dict[str, tuple[Reader, ...]]:
    """The readers of all formats by their name."""
    found: dict[str, tuple[Reader, ...]] = {}
    for name, read in _in_order(tables):
        found[name] = (*found.get(name, ()), read)
    return found


ENVELOPES = _in_order(each.envelopes for each in FORMATS.values())
MESSAGES = _in_order(each.messages for each in FORMATS.values())
USAGES = _in_order(each.usages for each in FORMATS.values())
NESTED = _by_name(each.nested for each in FORMATS.values())
TYPES = _by_name(each.types for each in FORMATS.values())
KEYS = _by_name(each.keys for each in FORMATS.values())
PATTERNS = [(*name.partition("*")[::2], readers) for name, readers in TYPES.items() if "*" in name]


class Content(NamedTuple):
    """What the server derives from a document; `usage` is by column, None if the document has none."""

    text: str
    blocks: list[Block]
    usage: dict[str, int] | None

    @property
    def stored_blocks(self) -> str | None:
        """The blocks as JSON; None if they are only the text, which is stored anyway."""
        return None if self.blocks == blocks.text_blocks(self.text) else orjson.dumps(self.blocks).decode()


def read(raw: str) -> Content:
    """The content of a document. A text that is not a JSON object, array or string is its own text, up to the limit."""
    document = parse(raw)
    if isinstance(document, str):
        return _plain(document)
    if not isinstance(document, dict | list):
        return _plain(raw)
    message = _message(document) if isinstance(document, dict) else document
    found = _blocks(document, message)
    text = "\n".join(block["text"] for block in found if block["kind"] == "text")[:MAX_TEXT_LENGTH]
    return Content(text, found, _usage(document) or _usage(message))


def _plain(text: str) -> Content:
    return Content(text[:MAX_TEXT_LENGTH], blocks.text_blocks(text[:MAX_TEXT_LENGTH]), None)


def _blocks(document: Any, message: Any) -> list[Block]:
    found: list[Block] = []
    for part in _parts_of_all(message):
        found += _part_blocks(part)
        if len(found) > MAX_BLOCKS:
            found[MAX_BLOCKS - 1 :] = [blocks.other(document)]
            break
    return found or [blocks.other(document)]


def _parts_of_all(message: Any) -> Iterator[Any]:
    """The parts of a message, or of all messages of a list, with the lists in them."""
    if not isinstance(message, list):
        yield from _parts(message)
        return
    unread = [iter(message)]  # not a generator in a generator, in which each part would cost a step for each level
    while unread:
        item = next(unread[-1], END)
        if item is END:
            unread.pop()
        elif not isinstance(item, dict):
            yield item
        elif isinstance(inner := _message(item), list):
            unread.append(iter(inner))
        else:
            yield from _parts(inner)


def _message(document: JsonObject) -> Any:
    """The message inside its envelope, or the list of messages; otherwise the document itself."""
    for key, inside in ENVELOPES:
        if key in document and (message := inside(document)) is not None:
            return message
    return document


def _parts(message: JsonObject) -> Iterator[Any]:
    """The parts of a message, with those inside other parts; for a part that is no message, the part."""
    for content in _contents(message):
        if isinstance(content, list):
            for part in content:
                yield from _parts_inside(part)
        elif content is not None and content != "":
            yield content


def _parts_inside(part: Any) -> Iterable[Any]:
    if isinstance(part, dict) and isinstance(kind := part.get("type"), str):
        for nested_in in NESTED.get(kind, ()):
            if (parts := nested_in(part)) is not None:
                return parts
    return (part,)


def _contents(message: JsonObject) -> list[Any]:
    for key, contents_of in MESSAGES:
        if key in message and (contents := contents_of(message)) is not None:
            return contents
    if "content" in message and isinstance(message.get("role"), str):
        return [message["content"]]
    return [[message]]


def _part_blocks(part: Any) -> list[Block]:
    if isinstance(part, str):
        return [blocks.text_block(part)]
    if isinstance(part, dict):
        for read_part in _readers(part):
            if (found := read_part(part)) is not None:
                return found
    return [blocks.other(part)]


def _readers(part: JsonObject) -> Iterator[PartReader]:
    """The readers of the type of a part; of a part without type those of its keys."""
    kind = part.get("type")
    if isinstance(kind, str):
        yield from TYPES.get(kind, ())
        for prefix, suffix, readers in PATTERNS:
            if kind.startswith(prefix) and kind.endswith(suffix):
                yield from readers
    elif "type" not in part:
        for key in part:
            yield from KEYS.get(key, ())


def _usage(document: Any) -> dict[str, int] | None:
    """The usage in an answer or message, or else in its metadata."""
    if not isinstance(document, dict):
        return None
    for key, usage_of in USAGES:
        if key in document and (found := usage_of(document[key])) is not None:
            return found
    for key in METADATA:
        if key in document and (found := _usage(document[key])) is not None:
            return found
    return None
