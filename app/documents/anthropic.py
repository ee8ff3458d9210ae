"""Anthropic Messages: `type` names a part. Its parts of type `text` have the same shape as OpenAI's.

https://docs.anthropic.com/en/api/messages
"""

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat
from app.documents.text import typed_text
from app.documents.usage import usage_reader


def _thinking(part: JsonObject) -> list[Block] | None:
    match part:
        case {"thinking": str(text)}:
            return [blocks.reasoning(text)]
    return None


def _redacted_thinking(part: JsonObject) -> list[Block] | None:
    return [blocks.reasoning("")]


def _tool_use(part: JsonObject) -> list[Block] | None:
    match part:
        case {"id": str(call_id), "name": str(name)}:
            return [blocks.tool_use(call_id, name, part.get("input"))]
    return None


def _tool_result(part: JsonObject) -> list[Block] | None:
    match part:
        case {"tool_use_id": str(call_id)}:
            is_error = part.get("is_error") is True
            return [blocks.tool_result(call_id, part.get("content"), is_error=is_error)]
    return None


def _media(part: JsonObject) -> list[Block] | None:
    match part:
        case {"type": kind, "source": {"type": str(), **source}} if "value" not in source:  # unlike AG-UI
            unnamed = blocks.ANY_IMAGE if kind == "image" else blocks.ANY_FILE
            data = source.get("data") if part["source"]["type"] == "base64" else None  # of text the size is not its own
            return [blocks.file(data, source.get("media_type"), part.get("title"), unnamed=unnamed)]
    return None


ANTHROPIC = MessageFormat(
    types={
        "text": typed_text,
        "thinking": _thinking,
        "redacted_thinking": _redacted_thinking,
        "tool_use": _tool_use,
        "server_tool_use": _tool_use,
        "mcp_tool_use": _tool_use,
        "*tool_result": _tool_result,
        "image": _media,
        "document": _media,
    },
    usages={"usage": usage_reader("input_tokens", "output_tokens", "total_tokens")},
)
