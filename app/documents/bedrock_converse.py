"""Bedrock Converse: a part is an object that is named by its only key.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import MessageFormat, texts

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


class BedrockConverse(MessageFormat):
    """Answers of `Converse`, and the messages of Strands."""

    token_names = (("inputTokens", "outputTokens", "totalTokens"),)

    def message(self, document: Any) -> Any | None:
        match document:
            case {"output": {"message": dict(message)}}:
                return message
        return None

    def block(self, part: Any) -> Block | None:
        match part:
            case {"type": _}:
                return None
            case {"text": str(text)} | {"guardContent": {"text": {"text": str(text)}}}:
                return blocks.text_block(text)
            case {"citationsContent": {"content": list(pieces)}}:
                return blocks.text_block("".join(texts(pieces)))
            case {"reasoningContent": {"reasoningText": {"text": str(text)}}}:
                return blocks.reasoning(text)
            case {"reasoningContent": {"redactedContent": _}}:
                return blocks.reasoning("")
            case {"toolUse": {"toolUseId": str(call_id), "name": str(name), **rest}}:
                return blocks.tool_use(call_id, name, rest.get("input"))
            case {"toolResult": {"toolUseId": str(call_id), **rest}}:
                return blocks.tool_result(call_id, rest.get("content"), is_error=rest.get("status") == "error")
        return _media(part)


def _media(part: Any) -> Block | None:
    match part:
        case {"image": {"format": str(form), **rest}}:
            return blocks.media(f"image/{form}", data=_bytes(rest))
        case {"video": {"format": str(form), **rest}}:
            return blocks.media(f"video/{form}", data=_bytes(rest))
        case {"audio": {"format": str(form), **rest}}:
            return blocks.media(f"audio/{form}", data=_bytes(rest))
        case {"document": {"format": str(form), **rest}}:
            return blocks.media(MEDIA_TYPES.get(form, blocks.ANY_FILE), rest.get("name"), _bytes(rest))
    return None


def _bytes(rest: dict[Any, Any]) -> Any:
    source = rest.get("source")
    return source.get("bytes") if isinstance(source, dict) else None
