"""AG-UI messages, version 1.0 in camel case; in snake case they are those of OpenAI.

https://docs.ag-ui.com/concepts/messages
"""

from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat
from app.documents.text import typed_text


def _tool_contents(message: JsonObject) -> list[Any] | None:
    match message:
        case {"role": "tool", "toolCallId": str(call_id), "content": content}:
            is_error = message.get("error") is not None
            return [{"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}]
    return None


def _answer_contents(message: JsonObject) -> list[Any] | None:
    return [message.get("content"), message["toolCalls"]] if isinstance(message.get("role"), str) else None


def _reasoning_contents(message: JsonObject) -> list[Any] | None:
    match message:
        case {"role": "reasoning", "content": str(text)}:
            return [{"type": "reasoning", "text": text}]
    return None


def _activity_contents(message: JsonObject) -> list[Any] | None:
    match message:
        case {"role": "activity", "activityType": str(name), "content": content}:
            return [{"type": "data", "name": name, "data": content}]
    return None


def _media(part: JsonObject) -> list[Block] | None:
    match part:
        case {"source": {"type": "data" | "url" | "file" as kind, "value": str(content), **rest}}:
            unnamed = blocks.ANY_FILE if part["type"] == "document" else f"{part['type']}/*"
            return [blocks.file(None if kind == "file" else content, rest.get("mimeType"), unnamed=unnamed)]
    return None


def _binary(part: JsonObject) -> list[Block] | None:
    match part:
        case {"mimeType": str(media_type)}:
            return [blocks.file(part.get("data"), media_type, part.get("filename"))]
    return None


AG_UI = MessageFormat(
    messages={
        "toolCallId": _tool_contents,
        "toolCalls": _answer_contents,
        "activityType": _activity_contents,
        "content": _reasoning_contents,
    },
    types={
        "text": typed_text,
        **dict.fromkeys(("image", "audio", "video", "document"), _media),
        "binary": _binary,
    },
)
