"""assistant-ui: `ThreadMessage`, its attachments, and the records in which its adapters store messages.

https://www.assistant-ui.com/docs/api-reference/overview
"""

from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat, items
from app.documents.text import cited_source, typed_reasoning, typed_text
from app.documents.usage import usage_columns, usage_reader

MAX_STEPS = 1_000
USAGES = (
    usage_reader("inputTokens", "outputTokens", "totalTokens"),
    usage_reader("promptTokens", "completionTokens", "totalTokens"),
)


def _stored_message(record: JsonObject) -> Any | None:
    match record:
        case {"format": str(), "content": dict(message)}:
            return message
    return None


def _repository(repository: JsonObject) -> Any | None:
    """The messages of an exported repository; also those of a state of LangGraph."""
    return messages if isinstance(messages := repository.get("messages"), list) else None


def _contents(message: JsonObject) -> list[Any] | None:
    match message:
        case {"role": str(), "content": content, "attachments": list(attachments)}:
            return [content, *(each["content"] for each in attachments if isinstance(each, dict) and "content" in each)]
    return None


def _tool_call(part: JsonObject) -> list[Block] | None:
    match part:
        case {"toolCallId": str(call_id), "toolName": str(name)}:
            found = [blocks.tool_use(call_id, name, part.get("args", part.get("argsText")))]
            if "result" in part:
                is_error = part.get("isError") is True
                found.append(blocks.tool_result(call_id, part["result"], is_error=is_error))
            return found
    return None


def _image(part: JsonObject) -> list[Block] | None:
    if not isinstance(image := part.get("image"), str):
        return None
    return [blocks.file(image, part.get("mediaType"), part.get("filename"), unnamed=blocks.ANY_IMAGE)]


def _file(part: JsonObject) -> list[Block] | None:
    match part:
        case {"data": str(data), "mimeType": str(media_type)}:
            return [blocks.file(data, media_type, part.get("filename"))]
    return None


def _audio(part: JsonObject) -> list[Block] | None:
    match part:
        case {"audio": {"format": str(form), **rest}}:
            return [blocks.media(f"audio/{form}", data=rest.get("data"))]
    return None


def _data(part: JsonObject) -> list[Block] | None:
    match part:
        case {"name": str(name), "data": value}:
            return [blocks.data(name, value)]
    return None


def _generative_ui(part: JsonObject) -> list[Block] | None:
    return [blocks.data("generative-ui", part["spec"])] if "spec" in part else None


def _steps(steps: Any) -> dict[str, int] | None:
    """The sum of the usages of an answer's steps, of which a limited number is read."""
    with_usage = [step["usage"] for step in items(steps)[:MAX_STEPS] if isinstance(step, dict) and "usage" in step]
    usages = [found for usage in with_usage for read in USAGES if (found := read(usage))]
    return usage_columns(*map(sum, zip(*(usage.values() for usage in usages), strict=True))) if usages else None


ASSISTANT_UI = MessageFormat(
    envelopes={"format": _stored_message, "messages": _repository},
    messages={"attachments": _contents},
    types={
        "text": typed_text,
        "reasoning": typed_reasoning,
        "tool-call": _tool_call,
        "source": cited_source,
        "image": _image,
        "file": _file,
        "audio": _audio,
        "data": _data,
        "generative-ui": _generative_ui,
    },
    usages={"steps": _steps},
)
