"""Bedrock Converse: a part is an object that is named by its only key.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat, PartReader, member, texts
from app.documents.text import untyped_text
from app.documents.usage import usage_reader

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}


def _message(answer: JsonObject) -> Any | None:
    match answer:
        case {"output": {"message": dict(message)}}:
            return message
    return None


def _guarded_text(part: JsonObject) -> list[Block] | None:
    match part:
        case {"guardContent": {"text": {"text": str(text)}}}:
            return [blocks.text_block(text)]
    return None


def _cited_text(part: JsonObject) -> list[Block] | None:
    match part:
        case {"citationsContent": {"content": list(pieces)}}:
            return [blocks.text_block("".join(texts(pieces)))]
    return None


def _reasoning(part: JsonObject) -> list[Block] | None:
    match part:
        case {"reasoningContent": {"reasoningText": {"text": str(text)}}}:
            return [blocks.reasoning(text)]
        case {"reasoningContent": {"redactedContent": _}}:
            return [blocks.reasoning("")]
    return None


def _tool_use(part: JsonObject) -> list[Block] | None:
    match part:
        case {"toolUse": {"toolUseId": str(call_id), "name": str(name), **rest}}:
            return [blocks.tool_use(call_id, name, rest.get("input"))]
    return None


def _tool_result(part: JsonObject) -> list[Block] | None:
    match part:
        case {"toolResult": {"toolUseId": str(call_id), **rest}}:
            is_error = rest.get("status") == "error"
            return [blocks.tool_result(call_id, rest.get("content"), is_error=is_error)]
    return None


def _media(kind: str) -> PartReader:
    def read(part: JsonObject) -> list[Block] | None:
        match part[kind]:
            case {"format": str(form), **rest}:
                media_type = MEDIA_TYPES.get(form, blocks.ANY_FILE) if kind == "document" else f"{kind}/{form}"
                file_name = rest.get("name") if kind == "document" else None
                return [blocks.media(media_type, file_name, member(rest.get("source"), "bytes"))]
        return None

    return read


BEDROCK_CONVERSE = MessageFormat(
    envelopes={"output": _message},
    keys={
        "text": untyped_text,
        "guardContent": _guarded_text,
        "citationsContent": _cited_text,
        "reasoningContent": _reasoning,
        "toolUse": _tool_use,
        "toolResult": _tool_result,
        **{kind: _media(kind) for kind in ("image", "video", "audio", "document")},
    },
    usages={"usage": usage_reader("inputTokens", "outputTokens", "totalTokens")},
)
