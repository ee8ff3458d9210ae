"""The content of a message as typed blocks, and its token usage."""

from typing import Any

import orjson
import strawberry
from strawberry import Maybe

from app.documents.blocks import text_blocks
from app.schema.scalars import Json

field = strawberry.field


POSITION = "The position of the block in its message, counted from 0."


@strawberry.interface(description="One part of the content of a message.")
class ContentBlock:
    position: int = field(description=POSITION)


@strawberry.type(description="Text for people.")
class TextBlock(ContentBlock):
    text: str = field(description="The text of the block.")


@strawberry.type(description="Reasoning of a model before its answer.")
class ReasoningBlock(ContentBlock):
    text: str = field(description="The reasoning; empty if its producer encrypted or withheld it.")


@strawberry.type(description="A call of a tool by a model.")
class ToolUseBlock(ContentBlock):
    tool_use_id: str = field(description="The id of the call, as its producer wrote it.")
    name: str = field(description="The name of the tool.")
    input: Json = field(description="The arguments of the call.")


@strawberry.type(description="The result of a tool call.")
class ToolResultBlock(ContentBlock):
    tool_use_id: str = field(description="The id of the call that has this result.")
    is_error: bool = field(description="True if the tool failed.")
    content: Json = field(description="The result, as its producer wrote it.")


@strawberry.type(description="An image, a sound, a video or a file. Its bytes are in `Message.raw`, if at all.")
class MediaBlock(ContentBlock):
    media_type: str = field(
        description="The media type (RFC 6838). If the producer did not send it: `image/*` for an image, "
        "`application/octet-stream` for a file."
    )
    file_name: str | None = field(description="The name of the file; null if the producer sent none.")
    byte_length: int | None = field(description="The size in bytes; null if `Message.raw` has none in Base64.")


@strawberry.type(description="Something that an answer relies on: a page, a document or a file.")
class SourceBlock(ContentBlock):
    url: str | None = field(description="The address; null if the producer sent none.")
    title: str | None = field(description="The title; null if the producer sent none.")
    file_name: str | None = field(description="The name of the file; null if the producer sent none.")


@strawberry.type(description="A named value for a program or a component of a page, not text for people.")
class DataBlock(ContentBlock):
    name: str = field(description="The name that the producer chose, at most 255 characters.")
    data: Json = field(description="The value, as its producer wrote it.")


@strawberry.type(
    description="A part of a kind that the server does not know, or the whole of a document without known parts."
)
class OtherBlock(ContentBlock):
    kind: str = field(description="The name of the kind in the document, at most 255 characters.")
    raw: Json = field(
        description="The part as JSON. Characters and numbers that this server cannot store as JSON are replaced; the "
        "exact part is in `Message.raw`."
    )


@strawberry.type(description="The numbers of tokens that a model processed for one message.")
class TokenUsage:
    input_tokens: int = field(description="The number of tokens that the model read.")
    output_tokens: int = field(description="The number of tokens that the model wrote.")
    total_tokens: int = field(description="The total as the producer reported it; otherwise the sum of the two others.")


@strawberry.input(description="The numbers of tokens that a model processed for one message, each 0 to 2,147,483,647.")
class TokenUsageInput:
    input_tokens: int = field(description="The number of tokens that the model read.")
    output_tokens: int = field(description="The number of tokens that the model wrote.")
    total_tokens: Maybe[int | None] = field(
        description="The total number of tokens. Null or omitted: the sum of the two others."
    )


BLOCKS = [
    TextBlock,
    ReasoningBlock,
    ToolUseBlock,
    ToolResultBlock,
    MediaBlock,
    SourceBlock,
    DataBlock,
    OtherBlock,
]


def blocks(text: str, stored: str | None) -> list[ContentBlock]:
    """The blocks of a message. `stored` is their JSON; None if the message is only its text."""
    parts = text_blocks(text) if stored is None else orjson.loads(stored)
    return [_block(position, **part) for position, part in enumerate(parts)]


def _block(position: int, kind: str, **part: Any) -> ContentBlock:
    match kind:
        case "text":
            return TextBlock(position=position, **part)
        case "reasoning":
            return ReasoningBlock(position=position, **part)
        case "tool_use":
            return ToolUseBlock(position=position, **part | {"input": _json(part["input"])})
        case "tool_result":
            return ToolResultBlock(position=position, **part | {"content": _json(part["content"])})
        case "media":
            return MediaBlock(position=position, **part)
        case "source":
            return SourceBlock(position=position, **part)
        case "data":
            return DataBlock(position=position, name=part["name"], data=_json(part["data"]))
    return OtherBlock(position=position, kind=part["name"], raw=_json(part["raw"]))


def usage(input_tokens: int | None, output_tokens: int | None, total_tokens: int | None) -> TokenUsage | None:
    """The usage of a message; None if its columns are NULL, which all three are or none."""
    if input_tokens is None or output_tokens is None or total_tokens is None:
        return None
    return TokenUsage(input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=total_tokens)


def _json(value: Any) -> Json:
    return Json(orjson.dumps(value).decode())
