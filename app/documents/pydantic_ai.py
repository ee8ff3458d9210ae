"""pydantic-ai: `ModelRequest` and `ModelResponse`, whose parts are named by `part_kind`.

https://ai.pydantic.dev/api/messages/
"""

from itertools import chain, islice
from typing import Any

from app.documents import blocks
from app.documents.blocks import Block
from app.documents.format import JsonObject, MessageFormat, PartReader, items
from app.documents.text import distinct
from app.documents.usage import usage_reader
from app.limits import MAX_BLOCKS


def _part(part: JsonObject) -> list[Block] | None:
    kind = part["part_kind"]
    if not isinstance(kind, str):
        return None
    read = PARTS.get(kind)
    found = read(part) if read else None
    return [blocks.other(part, kind)] if found is None else found


def _text(part: JsonObject) -> list[Block] | None:
    if not isinstance(text := part.get("content"), str):
        return None
    if not part.get("citations"):
        return [blocks.text_block(text)]
    citations = [each for each in items(part["citations"]) if each and isinstance(each, dict) and "sources" in each]
    cited = chain.from_iterable(items(citation["sources"]) for citation in citations)
    objects = [source for source in islice(cited, MAX_BLOCKS) if isinstance(source, dict)]
    found = [source for source in objects if source.get("kind") in ("web", "document")]
    return [blocks.text_block(text), *distinct(blocks.source(each.get("url"), each.get("title")) for each in found)]


def _speech(part: JsonObject) -> list[Block] | None:
    text, audio = part.get("transcript"), part.get("audio")
    found = [blocks.text_block(text)] if isinstance(text, str) else []
    return [*found, _user_content(audio)] if isinstance(audio, dict) else found


def _thinking(part: JsonObject) -> list[Block] | None:
    return [blocks.reasoning(text)] if isinstance(text := part.get("content"), str) else None


def _data(part: JsonObject) -> list[Block] | None:
    """What comes in one request with the words of the user, and is not text of the user."""
    return [blocks.data(part["part_kind"], part.get("content"))]


def _user_prompt(part: JsonObject) -> list[Block] | None:
    content = part.get("content")
    if isinstance(content, str):
        return [blocks.text_block(content)]
    if not isinstance(content, list):
        return None
    return [_user_content(item) for item in content[:MAX_BLOCKS]]


def _user_content(item: Any) -> Block:
    match item:
        case str(text) | {"kind": "text" | "text-content", "content": str(text)}:
            return blocks.text_block(text)
        case {"kind": "binary", "data": data, "media_type": media_type}:
            return blocks.file(data, media_type)
        case {"kind": "image-url" | "audio-url" | "video-url" as kind, "url": str(url)}:
            return blocks.file(url, item.get("media_type"), unnamed=f"{kind.removesuffix('-url')}/*")
        case {"kind": "document-url", "url": str(url)}:
            return blocks.file(url, item.get("media_type"))
        case {"kind": "uploaded-file", "file_id": str()}:
            return blocks.media(item["media_type"] if isinstance(item.get("media_type"), str) else blocks.ANY_FILE)
        case {"kind": str(kind)}:
            return blocks.other(item, kind)
    return blocks.other(item)


def _file(part: JsonObject) -> list[Block] | None:
    return [_user_content(part.get("content"))]


def _tool_call(part: JsonObject) -> list[Block] | None:
    match part:
        case {"tool_name": str(name), "tool_call_id": str(call_id)}:
            return [blocks.tool_use(call_id, name, part.get("args"))]
    return None


def _tool_return(part: JsonObject) -> list[Block] | None:
    match part:
        case {"tool_call_id": str(call_id)}:
            is_error = part.get("outcome", "success") != "success"
            return [blocks.tool_result(call_id, part.get("content"), is_error=is_error)]
    return None


def _retry_prompt(part: JsonObject) -> list[Block] | None:
    """The refusal of a tool call, or of an answer without one."""
    match part:
        case {"tool_name": str(), "tool_call_id": str(call_id)}:
            return [blocks.tool_result(call_id, part.get("content"), is_error=True)]
    return _data(part)


PARTS: dict[str, PartReader] = {
    "text": _text,
    "thinking": _thinking,
    "speech": _speech,
    "system-prompt": _data,
    "instruction": _data,
    "retry-feedback": _data,
    "user-prompt": _user_prompt,
    "file": _file,
    "tool-call": _tool_call,
    "builtin-tool-call": _tool_call,
    "tool-return": _tool_return,
    "builtin-tool-return": _tool_return,
    "retry-prompt": _retry_prompt,
}
PYDANTIC_AI = MessageFormat(
    keys={"part_kind": _part},
    usages={
        "usage": usage_reader("request_tokens", "response_tokens", "total_tokens"),
    },
)
