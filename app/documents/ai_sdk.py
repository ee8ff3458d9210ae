"""AI SDK, versions 5 to 7: `UIMessage`, as front ends keep it, and `ModelMessage`, as models get it.

https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message
"""

from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat, member
from app.documents.text import cited_source, typed_reasoning, typed_text
from app.documents.usage import usage_reader


def _parts(message: JsonObject) -> list[Any] | None:
    """The parts of this message, and of the messages of Gemini and pydantic-ai."""
    return [parts] if isinstance(parts := message.get("parts"), list) else None


def _steering(part: JsonObject) -> list[Any] | None:
    """What the user wrote while the answer was under way."""
    return parts if isinstance(parts := part.get("parts"), list) else None


def _tool(part: JsonObject) -> list[Block] | None:
    """A call with its result, if it has one; the type is `tool-` and the name, or `dynamic-tool`."""
    call_id, name = part.get("toolCallId"), part.get("toolName", part["type"].removeprefix("tool-"))
    if not isinstance(call_id, str) or not isinstance(name, str) or "state" not in part:
        return None
    found = [blocks.tool_use(call_id, name, part.get("input", part.get("rawInput")))]
    match part.get("state"):
        case "output-available":
            found.append(blocks.tool_result(call_id, part.get("output")))
        case "output-error":
            found.append(blocks.tool_result(call_id, part.get("errorText"), is_error=True))
        case "output-denied":
            found.append(blocks.tool_result(call_id, member(part.get("approval"), "reason"), is_error=True))
    return found


def _tool_call(part: JsonObject) -> list[Block] | None:
    match part:
        case {"toolCallId": str(call_id), "toolName": str(name), "input": arguments}:
            return [blocks.tool_use(call_id, name, arguments)]
    return None


def _tool_result(part: JsonObject) -> list[Block] | None:
    match part:
        case {"toolCallId": str(call_id), "output": {"type": str(kind), **output}}:
            content = output.get("reason") if kind == "execution-denied" else output.get("value")
            is_error = kind in ("error-text", "error-json", "execution-denied")
            return [blocks.tool_result(call_id, content, is_error=is_error)]
    return None


def _file(part: JsonObject) -> list[Block] | None:
    """`data` of a `ModelMessage` is base64, a URL, or an object with one of them."""
    if not isinstance(part.get("mediaType"), str):
        return None
    content = part.get("url", part.get("data"))
    if isinstance(content, dict):
        content = content.get("url", content.get("data"))
    return [blocks.file(content, part["mediaType"], part.get("filename"))]


def _data(part: JsonObject) -> list[Block] | None:
    return [blocks.data(part["type"].removeprefix("data-"), part["data"])] if "data" in part else None


def _nothing(part: JsonObject) -> list[Block] | None:
    """A mark between the steps of an answer, which people do not see."""
    return []


AI_SDK = MessageFormat(
    messages={"parts": _parts},
    types={
        "text": typed_text,
        "reasoning": typed_reasoning,
        "dynamic-tool": _tool,
        "tool-call": _tool_call,
        "tool-result": _tool_result,
        "tool-*": _tool,
        "source-url": cited_source,
        "source-document": cited_source,
        "file": _file,
        "reasoning-file": _file,
        "data-*": _data,
        "step-start": _nothing,
    },
    nested={"steering-message": _steering},
    usages={"totalUsage": usage_reader("inputTokens", "outputTokens", "totalTokens")},
)
