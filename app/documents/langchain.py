"""LangChain messages: `dumpd` (`lc`), `messages_to_dict` (`type` and `data`), and dumps of the message itself.

https://docs.langchain.com/oss/python/langchain/messages
"""

from itertools import islice
from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat, items, member
from app.documents.text import refusal, typed_text
from app.documents.usage import usage_reader
from app.limits import MAX_BLOCKS, MAX_PARTS

CLASSES = {
    "HumanMessage": "human",
    "AIMessage": "ai",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "function",
    "ChatMessage": "chat",
    **{f"{kind}MessageChunk": f"{kind}MessageChunk" for kind in ("Human", "AI", "System", "Tool", "Function", "Chat")},
}
TYPES = frozenset(CLASSES.values())


def _constructed(document: JsonObject) -> Any | None:
    match document:
        case {"lc": 1, "type": "constructor", "id": [*_, str(name)], "kwargs": dict(fields)} if name in CLASSES:
            return {**fields, "type": CLASSES[name]}
    return None


def _stored(document: JsonObject) -> Any | None:
    match document:
        case {"type": str(kind), "data": dict(fields)} if kind in TYPES and "content" in fields:
            return {**fields, "type": kind}
    return None


def _contents(message: JsonObject) -> list[Any] | None:
    """A call that is in `content` too, as of Anthropic or OpenAI, is read from there."""
    match message:
        case {"type": "tool" | "ToolMessageChunk", "tool_call_id": str(call_id), "content": content}:
            is_error = message.get("status") == "error"
            return [{"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}]
        case {"type": str(kind), "content": content} if kind in TYPES:
            return [content, _calls_beside(content, message)]
    return None


def _calls_beside(content: Any, message: JsonObject) -> list[JsonObject]:
    """The calls that are not in `content`, as many as a message has blocks at most."""
    calls = [*items(message.get("tool_calls")), *items(message.get("invalid_tool_calls"))]
    if not calls:
        return []
    in_content = {key for part in items(content)[:MAX_PARTS] for key in _call_ids(part)}
    # No call of `_call_ids` for each: no limit counts those that are in the content.
    beside = (
        call
        for call in calls
        if isinstance(call, dict)
        and not (isinstance(key := call.get("id"), str) and key in in_content)
        and not (isinstance(key := call.get("call_id"), str) and key in in_content)
    )
    return [{"type": "tool_call", **call} for call in islice(beside, MAX_BLOCKS + 1)]


def _call_ids(part: Any) -> list[str]:
    return [key for name in ("id", "call_id") if isinstance(key := member(part, name), str)]


def _tool_call(part: JsonObject) -> list[Block] | None:
    match part:
        case {"name": str(name), "args": arguments}:
            call_id = part.get("id")
            return [blocks.tool_use(call_id if isinstance(call_id, str) else name, name, arguments)]
    return None


def _server_tool_result(part: JsonObject) -> list[Block] | None:
    match part:
        case {"tool_call_id": str(call_id)}:
            is_error = part.get("status") == "error"
            return [blocks.tool_result(call_id, part.get("output"), is_error=is_error)]
    return None


def _reasoning(part: JsonObject) -> list[Block] | None:
    return [blocks.reasoning(text)] if isinstance(text := part.get("reasoning"), str) else None


def _media(part: JsonObject) -> list[Block] | None:
    """Content blocks of version 1, and those of before, with `source_type`; in JavaScript in camel case."""
    names = ("url", "base64", "data", "file_id", "fileId")
    found = next((name for name in names if isinstance(part.get(name), str)), None)
    if found is None:
        return None
    content = None if found in ("file_id", "fileId") else part[found]
    media_type = part.get("mime_type", part.get("mimeType"))
    unnamed = blocks.ANY_FILE if part["type"] == "file" else f"{part['type']}/*"
    return [blocks.file(content, media_type, part.get("filename"), unnamed=unnamed)]


def _plain_text(part: JsonObject) -> list[Block] | None:
    """A document that is text: its words are not those of the message."""
    media_type = part.get("mime_type", part.get("mimeType"))
    name = part.get("title", part.get("filename"))
    return [blocks.media(media_type if isinstance(media_type, str) else "text/plain", name)]


LANGCHAIN = MessageFormat(
    envelopes={"lc": _constructed, "data": _stored},
    messages={"content": _contents},
    types={
        "text": typed_text,
        "reasoning": _reasoning,
        "refusal": refusal,
        "tool_call": _tool_call,
        "tool_call_chunk": _tool_call,
        "invalid_tool_call": _tool_call,
        "server_tool_call": _tool_call,
        "server_tool_call_chunk": _tool_call,
        "server_tool_result": _server_tool_result,
        **dict.fromkeys(("image", "audio", "video", "file"), _media),
        "text-plain": _plain_text,
    },
    usages={"usage_metadata": usage_reader("input_tokens", "output_tokens", "total_tokens")},
)
