"""What a message is made of, as typed blocks, and the tokens it took."""

from typing import Any

import orjson
import strawberry
from strawberry import Maybe

from app.documents import content
from app.schema.scalars import Json

field = strawberry.field


@strawberry.interface(description="One part of a message.")
class ContentBlock:
    position: int = field(description="Its place in the message, from 0.")


@strawberry.type(description="What a person reads.")
class TextBlock(ContentBlock):
    text: str = field(description="The text.")


@strawberry.type(description="What a model thought before it spoke.")
class ReasoningBlock(ContentBlock):
    text: str = field(description="The thought; empty where its producer keeps it secret.")


@strawberry.type(description="A tool is called.")
class ToolUseBlock(ContentBlock):
    tool_use_id: str = field(description="The producer's name for this call.")
    name: str = field(description="Which tool.")
    input: Json = field(description="Its arguments.")


@strawberry.type(description="What a tool answered.")
class ToolResultBlock(ContentBlock):
    tool_use_id: str = field(description="The call that it answers.")
    is_error: bool = field(description="The tool failed.")
    content: Json = field(description="The answer, as its producer has it.")


@strawberry.type(description="A picture, a sound, a film or a file. The bytes themselves are in `raw`.")
class MediaBlock(ContentBlock):
    media_type: str = field(description="RFC 6838, as far as the producer says: `image/*` is some picture.")
    file_name: str | None = field(description="Its name, if it has one.")
    byte_length: int | None = field(description="Its size, if its bytes are in `raw`.")


@strawberry.type(description="A part that is none of the others.")
class OtherBlock(ContentBlock):
    kind: str = field(description="What it calls itself.")
    raw: Json = field(description="The part, with what cannot be kept replaced: exact is only the message's `raw`.")


@strawberry.type(description="The tokens that a message took.")
class TokenUsage:
    input_tokens: int = field(description="Tokens read.")
    output_tokens: int = field(description="Tokens written.")
    total_tokens: int = field(description="Tokens billed: the sum, unless said otherwise.")


@strawberry.input(description="The tokens that a message took.")
class TokenUsageInput:
    input_tokens: int = field(description="Tokens read, 0 or more.")
    output_tokens: int = field(description="Tokens written, 0 or more.")
    total_tokens: Maybe[int | None] = field(description="Tokens billed, 0 or more; the sum when not set.")


BLOCKS = [TextBlock, ReasoningBlock, ToolUseBlock, ToolResultBlock, MediaBlock, OtherBlock]


def blocks(text: str, stored: str | None) -> list[ContentBlock]:
    """The blocks of a message, from what is stored of them; without that they are its text."""
    parts = content.of_text(text) if stored is None else orjson.loads(stored)
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
    return OtherBlock(position=position, kind=part["name"], raw=_json(part["raw"]))


def usage(input_tokens: int | None, output_tokens: int | None, total_tokens: int | None) -> TokenUsage | None:
    """The columns of a message's usage, which are set together or not at all."""
    if input_tokens is None or output_tokens is None or total_tokens is None:
        return None
    return TokenUsage(input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=total_tokens)


def _json(value: Any) -> Json:
    return Json(orjson.dumps(value).decode())
