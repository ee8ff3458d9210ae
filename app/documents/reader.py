"""Reads a document in any known message format into text, blocks and token usage (invariant 5).

A document is an answer, a message, or a list of messages or parts. Reading never fails: a part that no format
recognises becomes a block of kind "other".
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from app.documents import blocks
from app.documents.anthropic import Anthropic
from app.documents.bedrock_converse import BedrockConverse
from app.documents.blocks import Block
from app.documents.format import MessageFormat
from app.documents.openai import OpenAI
from app.documents.parsing import parse
from app.documents.plain import PlainText
from app.documents.strands import Strands
from app.documents.usage import usage_columns
from app.limits import MAX_TEXT_LENGTH

# The first format that recognises a shape reads it.
FORMATS: tuple[MessageFormat, ...] = (PlainText(), Strands(), BedrockConverse(), Anthropic(), OpenAI())


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
    if not isinstance(document, dict | list | str):
        text = raw[:MAX_TEXT_LENGTH]
        return Content(text, blocks.text_blocks(text), None)
    found = list(_blocks(document))
    text = "\n".join(block["text"] for block in found if block["kind"] == "text")[:MAX_TEXT_LENGTH]
    return Content(text, found, _usage(document))


def _blocks(document: Any) -> Iterator[Block]:
    if isinstance(document, str):
        yield from blocks.text_blocks(document)
        return
    for item in document if isinstance(document, list) else [document]:
        for content in _contents(_message(item)):
            for part in _parts(content):
                yield _block(part)


def _message(document: Any) -> Any:
    """The message inside its envelope, or the document itself."""
    for each in FORMATS:
        if (message := each.message(document)) is not None:
            return message
    return document


def _contents(message: Any) -> list[Any]:
    """The contents of a message; for a document that is no message, the document as the only part."""
    for each in FORMATS:
        if (contents := each.contents(message)) is not None:
            return contents
    match message:
        case {"role": str()}:
            return [message.get("content")]
    return [[message]]


def _parts(content: Any) -> Iterator[Any]:
    """The parts of one content of a message, with those inside other parts."""
    if isinstance(content, list):
        for part in content:
            yield from _parts_inside(part)
    elif content is not None and content != "":
        yield content


def _parts_inside(part: Any) -> list[Any]:
    for each in FORMATS:
        if (parts := each.parts(part)) is not None:
            return parts
    return [part]


def _block(part: Any) -> Block:
    for each in FORMATS:
        if (block := each.block(part)) is not None:
            return block
    return blocks.other(part)


def _usage(document: Any) -> dict[str, int] | None:
    """The usage of the document itself, or else of the message inside it."""
    for holder in (document, _message(document)):
        match holder:
            case {"usage": dict(usage)} | {"metadata": {"usage": dict(usage)}}:
                spellings = (names for each in FORMATS for names in each.token_names)
                found = (usage_columns(*map(usage.get, names)) for names in spellings)
                return next(filter(None, found), None)
    return None
