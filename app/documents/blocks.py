"""One part of a message as a block, whatever format it has. A part that does not fit its format is "other".

Bedrock Converse and Strands: a part is an object named by its one key (API_runtime_ContentBlock). Anthropic
(Messages) and OpenAI (chat completions, Responses): `type` names it.
"""

from typing import Any

from app.documents.parsing import parsed

Block = dict[str, Any]

UNKNOWN = "application/octet-stream"
KIND_LENGTH = 255
DOCUMENTS = {
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


def of(part: Any) -> Block:
    """The block of any JSON value."""
    if isinstance(part, str):
        return text(part)
    if not isinstance(part, dict):
        return other(type(part).__name__, part)
    found = _anthropic(part) or _openai(part) or _media(part) if "type" in part else _converse(part)
    return found or other(kind_of(part), part)


def text(said: str) -> Block:
    return {"kind": "text", "text": said}


def reasoning(thought: str) -> Block:
    return {"kind": "reasoning", "text": thought}


def tool_use(call: str, name: str, arguments: Any) -> Block:
    """`arguments` may be JSON in a text, as OpenAI has it; a text that is none stays one."""
    if isinstance(arguments, str):
        value = parsed(arguments)
        arguments = arguments if value is None else value
    return {"kind": "tool_use", "tool_use_id": call, "name": name, "input": arguments}


def tool_result(call: str, content: Any, *, is_error: bool) -> Block:
    return {"kind": "tool_result", "tool_use_id": call, "is_error": is_error, "content": content}


def media(media_type: str, file_name: Any = None, data: Any = None) -> Block:
    """`data` is base64, or Strands' way to write bytes; anything else has no known length."""
    name = file_name if isinstance(file_name, str) else None
    return {"kind": "media", "media_type": media_type, "file_name": name, "byte_length": _length(data)}


def other(kind: str, part: Any) -> Block:
    return {"kind": "other", "name": kind[:KIND_LENGTH], "raw": part}


def kind_of(part: dict[str, Any]) -> str:
    """What a part calls itself: its `type`, or its first key."""
    named = part.get("type")
    return named if isinstance(named, str) else next(iter(part), "empty")


def _converse(part: dict[str, Any]) -> Block | None:
    match part:
        case {"text": str(said)} | {"guardContent": {"text": {"text": str(said)}}}:
            return text(said)
        case {"citationsContent": {"content": list(pieces)}}:
            return text("".join(piece["text"] for piece in pieces if _says(piece)))
        case {"reasoningContent": {"reasoningText": {"text": str(thought)}}}:
            return reasoning(thought)
        case {"reasoningContent": {"redactedContent": _}}:
            return reasoning("")
        case {"toolUse": {"toolUseId": str(call), "name": str(name), **rest}}:
            return tool_use(call, name, rest.get("input"))
        case {"toolResult": {"toolUseId": str(call), **rest}}:
            return tool_result(call, rest.get("content"), is_error=rest.get("status") == "error")
    return _converse_media(part)


def _converse_media(part: dict[str, Any]) -> Block | None:
    match part:
        case {"image": {"format": str(form), **rest}}:
            return media(f"image/{form}", data=_bytes(rest))
        case {"video": {"format": str(form), **rest}}:
            return media(f"video/{form}", data=_bytes(rest))
        case {"audio": {"format": str(form), **rest}}:
            return media(f"audio/{form}", data=_bytes(rest))
        case {"document": {"format": str(form), **rest}}:
            return media(DOCUMENTS.get(form, UNKNOWN), rest.get("name"), _bytes(rest))
    return None


def _anthropic(part: dict[str, Any]) -> Block | None:
    match part:
        case {"type": "thinking", "thinking": str(thought)}:
            return reasoning(thought)
        case {"type": "redacted_thinking"}:
            return reasoning("")
        case {"type": "tool_use" | "server_tool_use" | "mcp_tool_use", "id": str(call), "name": str(name), **rest}:
            return tool_use(call, name, rest.get("input"))
        case {"type": str(kind), "tool_use_id": str(call), **rest} if kind.endswith("tool_result"):
            return tool_result(call, rest.get("content"), is_error=rest.get("is_error") is True)
        case {"type": "image" | "document" as kind, "source": {"type": str(), **source}, **rest}:
            unknown = "image/*" if kind == "image" else UNKNOWN
            media_type = source.get("media_type")
            named = media_type if isinstance(media_type, str) else unknown
            return media(named, rest.get("title"), source.get("data"))
    return None


def _openai(part: dict[str, Any]) -> Block | None:
    match part:
        case {"type": "text" | "input_text" | "output_text" | "summary_text", "text": str(said)}:
            return text(said)
        case {"type": "refusal", "refusal": str(said)}:
            return text(said)
        case {"type": "reasoning", **rest}:
            thoughts = [piece for name in ("summary", "content") for piece in _list(rest.get(name))]
            return reasoning("\n".join(piece["text"] for piece in thoughts if _says(piece)))
        case {"type": "function", "id": str(call), "function": {"name": str(name), **rest}}:
            return tool_use(call, name, rest.get("arguments"))
        case {"type": "function_call", "call_id": str(call), "name": str(name), **rest}:
            return tool_use(call, name, rest.get("arguments"))
        case {"type": "custom_tool_call", "call_id": str(call), "name": str(name), **rest}:
            return tool_use(call, name, rest.get("input"))
        case {"type": "function_call_output" | "custom_tool_call_output", "call_id": str(call), **rest}:
            return tool_result(call, rest.get("output"), is_error=False)
    return None


def _media(part: dict[str, Any]) -> Block | None:
    """OpenAI's pictures, sounds and files."""
    match part:
        case {"type": "image_url", "image_url": {"url": str(url)}} | {"type": "input_image", "image_url": str(url)}:
            return _linked(url, "image/*")
        case {"type": "input_image", "file_id": str()}:
            return media("image/*")
        case {"type": "input_audio", "input_audio": {"format": str(form), **rest}}:
            return media(f"audio/{form}", data=rest.get("data"))
        case {"type": "file", "file": dict(file)} | {"type": "input_file", **file}:
            data = file.get("file_data")
            return _linked(data if isinstance(data, str) else "", UNKNOWN, file.get("filename"))
    return None


def _linked(url: str, unknown: str, name: Any = None) -> Block:
    """What a URL holds, if it is a data URL (RFC 2397), and otherwise what the part itself says."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:"):
        return media(unknown, name)
    media_type, _, encoding = head.removeprefix("data:").partition(";")
    return media(media_type or "text/plain", name, data if encoding.endswith("base64") else None)


def _bytes(rest: dict[Any, Any]) -> Any:
    inside = rest.get("source")
    return inside.get("bytes") if isinstance(inside, dict) else None


def _length(data: Any) -> int | None:
    """How many bytes a base64 text stands for (RFC 4648 §4)."""
    if isinstance(data, dict) and data.get("__bytes_encoded__") is True:
        data = data.get("data")
    return len(data.rstrip("=")) * 3 // 4 if isinstance(data, str) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _says(piece: Any) -> bool:
    return isinstance(piece, dict) and isinstance(piece.get("text"), str)
