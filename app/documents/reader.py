"""Reads a document in any known message format into text, blocks and token usage (invariant 5).

A document is an answer, a message, or a list of messages or parts. Reading never fails and takes linear time. A part
that no format recognises becomes a block of kind "other", and so does a document that yields no block.
"""

import gc
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
from app.limits import MAX_BLOCKS, MAX_DENSE_PARTS, MAX_PARTS, MAX_TEXT_LENGTH

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
METADATA, METADATA_LEVELS = ("metadata", "custom", "response_metadata"), 2
"""The keys under which producers keep what belongs to no part, and how many are in one another."""
# A large text that opens more lists and objects than this, with more of its characters, is parsed slowly.
MANY_OPENED, MANY_OPENED_DENSITY = 50_000, 0.05
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
NESTED = dict(_in_order(each.nested for each in FORMATS.values()))
ENVELOPE_KEYS = frozenset(key for key, _ in ENVELOPES)
MESSAGE_KEYS = frozenset(key for key, _ in MESSAGES)
WHOLE_KEYS = ENVELOPE_KEYS | MESSAGE_KEYS
KEYS = _by_name(each.keys for each in FORMATS.values())
NAMES = _by_name(each.types for each in FORMATS.values())
PATTERNS = [(*name.partition("*")[::2], readers) for name, readers in NAMES.items() if "*" in name]


def _pattern_readers(kind: str) -> tuple[PartReader, ...]:
    matching = (readers for prefix, suffix, readers in PATTERNS if kind.startswith(prefix) and kind.endswith(suffix))
    return tuple(chain.from_iterable(matching))


# Also what is left of a pattern without its `*`, as `tool_result`: one lookup, and no search of all patterns.
TYPES = {name: NAMES.get(name, ()) + _pattern_readers(name) for name in (each.replace("*", "") for each in NAMES)}


class Content(NamedTuple):
    """What the server derives from a document.

    `stored_blocks` is JSON, None if the blocks are only the text, which is stored anyway. `usage` is by column, None if
    the document has none.
    """

    text: str
    stored_blocks: str | None
    usage: dict[str, int] | None


def read(raw: str) -> Content:
    """The content of a document. A text that is not a JSON object, array or string is its own text, up to the limit."""
    gc.disable()  # a document of 1 MiB may be 500,000 lists: a collection would traverse them, and none are in cycles
    try:
        return _content(raw)
    finally:
        gc.enable()


def _content(raw: str) -> Content:
    document = parse(raw)
    if isinstance(document, str):
        return _text_only(document)
    if not isinstance(document, dict | list):
        return _text_only(raw)
    message = _message(document) if isinstance(document, dict) else document
    found = _blocks(document, message, _max_parts(raw) if len(raw) > MANY_OPENED else MAX_PARTS)
    text = "\n".join(block["text"] for block in found if block["kind"] == "text")[:MAX_TEXT_LENGTH]
    stored = None if found == blocks.text_blocks(text) else orjson.dumps(found).decode()
    return Content(text, stored, _usage(document) or (None if message is document else _usage(message)))


def _text_only(text: str) -> Content:
    return Content(text[:MAX_TEXT_LENGTH], None, None)


class TooManyParts(Exception):
    """The document has more blocks, parts or messages than are read."""


def _max_parts(raw: str) -> int:
    """How many parts and messages are read: fewer if parsing takes most of the time."""
    opened = raw.count("[") + raw.count("{")
    return MAX_DENSE_PARTS if opened > max(MANY_OPENED, MANY_OPENED_DENSITY * len(raw)) else MAX_PARTS


def _blocks(document: Any, message: Any, max_parts: int) -> list[Block]:
    found: list[Block] = []
    try:
        for count, part in enumerate(_parts_of_all(message, max_parts)):
            if count == max_parts:
                raise TooManyParts
            found += _part_blocks(part)
            if len(found) > MAX_BLOCKS:
                raise TooManyParts
    except TooManyParts:
        found[MAX_BLOCKS - 1 :] = [blocks.other(document)]
    blocks.parse_inputs(found)
    return found or [blocks.other(document)]


def _parts_of_all(message: Any, max_parts: int) -> Iterator[Any]:
    """The parts of a message, or of all messages of a list, with the lists in them."""
    if not isinstance(message, list):
        yield from _parts(message)
        return
    unread = [iter(message)]  # not a generator in a generator, in which each part would cost a step for each level
    messages = 0  # many are short and have no part
    while unread:
        for item in unread[-1]:
            if not isinstance(item, dict) or WHOLE_KEYS.isdisjoint(item):
                yield item
                continue
            if (messages := messages + 1) > max_parts:
                raise TooManyParts
            if isinstance(inner := _message(item), list):
                unread.append(iter(inner))
                break
            else:
                yield from _parts(inner)
        else:
            unread.pop()


def _message(document: JsonObject) -> Any:
    """The message inside its envelope, or the list of messages; otherwise the document itself."""
    if ENVELOPE_KEYS.isdisjoint(document):
        return document
    for key, inside in ENVELOPES:
        if key in document and (message := inside(document)) is not None:
            return message
    return document


def _parts(message: JsonObject) -> Iterator[Any]:
    """The parts of a message, with those inside other parts; for a part that is no message, the part."""
    for content in _contents(message):
        if not isinstance(content, list):
            if content is not None and content != "":
                yield content
            continue
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str) and kind in NESTED and (parts := NESTED[kind](part)) is not None:
                yield from parts
            else:
                yield part


def _contents(message: JsonObject) -> list[Any]:
    if MESSAGE_KEYS.isdisjoint(message):
        return [[message]]
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


def _readers(part: JsonObject) -> Iterable[PartReader]:
    """The readers of the type of a part; of a part without type those of its keys."""
    kind = part.get("type")
    if isinstance(kind, str):
        return TYPES.get(kind) or _pattern_readers(kind)
    if "type" in part:
        return ()
    return chain.from_iterable(KEYS[key] for key in part if key in KEYS)


def _usage(document: Any, levels: int = METADATA_LEVELS) -> dict[str, int] | None:
    """The usage in an answer or message, or else in its metadata."""
    if not isinstance(document, dict):
        return None
    for key, usage_of in USAGES:
        if key in document and (found := usage_of(document[key])) is not None:
            return found
    for key in METADATA if levels else ():
        if key in document and (found := _usage(document[key], levels - 1)) is not None:
            return found
    return None
